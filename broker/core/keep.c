/* Facts of an executor, gathered into groups. */
#include "core/keep.h"

#include "core/kept.h"
#include "core/server.h"
#include "proto/topic.h"

enum conf_durability keep_durability(const struct worker *w, struct slice topic)
{
	const struct conf *conf = w->policy->conf;

	for (size_t i = 0; i < conf->persistence_topic_count; i++) {
		const struct conf_durable_topic *t = &conf->persistence_topics[i];

		if (topic_matches(slice_of_str(t->filter), topic))
			return t->durability;
	}
	return conf->durability;
}

/* --- gathering --- */

/* `hastens`: a commit begins at the end of the turn at the latest; else it goes with the next. */
static void add_fact(struct worker *w, const struct record *record, bool hastens)
{
	if (w->facts == NULL)
		w->facts = journal_group_new(NULL, NULL);
	journal_group_add(w->facts, record);
	w->facts_hasten |= hastens;
	w->work += 2;
}

static void add_plain(struct session *s, enum record_kind kind, uint64_t number, bool hastens)
{
	struct record record = {.kind = kind, .session_id = s->id, .number = number};

	add_fact(s->worker, &record, hastens);
}

static void add_value(struct session *s, struct record *record, struct buf *value)
{
	record->session_id = s->id;
	record->value = buf_slice(value);
	add_fact(s->worker, record, true);
	buf_fini(value);
}

bool keep_is_kept(const struct session *s)
{
	return s->durable && keep_is_on(s->worker);
}

static uint64_t store_time(const struct worker *w, uint64_t monotonic_ms)
{
	return journal_time_ms(w->server->journal, monotonic_ms);
}

static struct kept_user user_of(const struct session *s)
{
	return (struct kept_user){.kind = s->identity->kind,
	                          .name = s->identity->name,
	                          .entry_id = s->identity->entry_id,
	                          .credential = s->identity->credential};
}

/* --- sessions --- */

/* How much its queue on disk may hold: what waits, as limits say, and what is on the wire besides.
 */
static void bound_queue(const struct session *s, struct record *record)
{
	const struct conf_limits *limits = session_limits(s);
	bool here = s->conn != NULL;

	record->number =
	    (uint64_t)limits->queue_messages + (here ? s->conn->receive_maximum : s->sent.count);
	record->bound_bytes = limits->queue_bytes + (here ? limits->queue_bytes : s->sent.bytes);
}

/* [MQTT3-4.1.0-1] [MQTT5-3.1.2-23] */
void keep_session(struct session *s)
{
	struct kept_session kept = {
	    .user = user_of(s), .client_id = session_client_id(s), .expiry_s = s->expiry_s};
	struct record record = {.kind = RECORD_SESSION};
	struct buf value = {0};

	if (!keep_is_kept(s))
		return;
	if (s->conn == NULL)
		kept.away_since_ms = store_time(s->worker, s->away_since_ms);
	if (s->removed)
		kept.removed_since_ms = store_time(s->worker, s->removed_since_ms);
	bound_queue(s, &record);
	kept_session_put(&value, &kept);
	add_value(s, &record, &value);
}

void keep_session_end(struct session *s)
{
	if (keep_is_kept(s))
		add_plain(s, RECORD_SESSION_END, 0, true);
}

/* --- subscriptions --- */

void keep_subscription(const struct subscription *sub)
{
	struct kept_subscription kept = {.filter = slice_of(sub->filter, sub->filter_len),
	                                 .options = sub->options,
	                                 .id = sub->id};
	struct record record = {.kind = RECORD_SUBSCRIPTION, .number = sub->number};
	struct buf value = {0};

	if (!keep_is_kept(sub->session))
		return;
	kept_subscription_put(&value, &kept);
	add_value(sub->session, &record, &value);
}

void keep_unsubscription(const struct subscription *sub)
{
	if (keep_is_kept(sub->session))
		add_plain(sub->session, RECORD_UNSUBSCRIPTION, sub->number, true);
}

void keep_replay(const struct subscription *sub, uint64_t until)
{
	struct kept_replay kept = {.until = until};
	struct record record = {.kind = RECORD_REPLAY, .number = sub->number};
	struct buf value = {0};

	if (!keep_is_kept(sub->session))
		return;
	kept_replay_put(&value, &kept);
	add_value(sub->session, &record, &value);
}

void keep_replay_done(struct session *s, uint64_t subscription_number)
{
	if (keep_is_kept(s))
		add_plain(s, RECORD_REPLAY_DONE, subscription_number, false);
}

/* --- messages --- */

void keep_inbound_done(struct session *s, uint16_t packet_id, bool hastens)
{
	if (keep_is_kept(s))
		add_plain(s, RECORD_INBOUND_DONE, packet_id, hastens);
}

static void add_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	struct record record = {
	    .kind = RECORD_QUEUE_DONE, .session_id = session_id, .number = position};

	add_fact(w, &record, false);
}

void keep_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	if (position != 0)
		add_queue_done(w, session_id, position);
}

static void put_sent(struct buf *value, const struct outgoing *o)
{
	struct kept_sent kept = {.packet_id = o->packet_id, .released = o->released};

	kept_sent_put(value, &kept);
}

void keep_sent(struct session *s, const struct outgoing *o)
{
	struct record record = {.kind = RECORD_SENT, .number = o->position};
	struct buf value = {0};

	if (o->position == 0)
		return;
	put_sent(&value, o);
	add_value(s, &record, &value);
}

void keep_add_queue(struct worker *w, struct journal_group *group, const struct target_item *item,
                    struct msg *msg, bool tell)
{
	struct kept_way way = {.qos = item->qos,
	                       .retain = item->retain_as_published && msg->retain,
	                       .ids = item->ids,
	                       .tried_count = item->tried_count};
	struct record record = {.kind = RECORD_QUEUE,
	                        .session_id = item->session_id,
	                        .group_id = item->group_id,
	                        .executor =
	                            tell ? &w->server->workers[item->executor]->executor : NULL,
	                        .msg = msg};
	struct buf value = {0};

	memcpy(way.tried, item->tried, sizeof(way.tried));
	kept_way_put(&value, &way);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

static void add_queue_of(struct journal_group *group, const struct session *s,
                         const struct outgoing *o)
{
	struct kept_way way = {.qos = o->qos, .retain = o->retain};
	struct record record = {.kind = RECORD_QUEUE, .session_id = s->id, .msg = o->msg};
	struct buf value = {0};

	if (o->way != NULL)
		way.ids = o->way->ids;
	kept_way_put(&value, &way);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

void keep_add_sent(struct journal_group *group, const struct session *s, const struct outgoing *o)
{
	struct record record = {.kind = RECORD_SENT, .session_id = s->id, .number = o->position};
	struct buf value = {0};

	if (o->position == 0)
		add_queue_of(group, s, o);
	put_sent(&value, o);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

/* --- wills --- */

/* A CONNACK without a kept session does not wait for its will. */
void keep_will(struct session *s, uint64_t due_ms)
{
	struct worker *w = s->worker;
	struct kept_will kept = {
	    .user = user_of(s), .client_id = session_client_id(s), .delay_s = s->will->delay_s};
	struct record record = {.kind = RECORD_WILL, .session_id = s->id, .msg = s->will->msg};
	struct buf value = {0};

	if (!keep_is_on(w))
		return;
	if (due_ms != 0)
		kept.due_ms = store_time(w, due_ms);
	kept_will_put(&value, &kept);
	record.value = buf_slice(&value);
	add_fact(w, &record, s->durable);
	buf_fini(&value);
	s->will->kept = true;
}

void keep_will_done(struct session *s)
{
	if (!s->will->kept)
		return;
	add_plain(s, RECORD_WILL_DONE, 0, true);
	s->will->kept = false;
}

/* --- groups --- */

static struct journal_group *take_facts(struct worker *w)
{
	struct journal_group *facts = w->facts;

	w->facts = NULL;
	w->facts_hasten = false;
	return facts;
}

static void append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                   uint64_t *first_position)
{
	w->work += 2 + journal_group_count(*group);
	journal_append(w->server->journal, &w->executor, group, urgency, first_position);
}

void keep_flush(struct worker *w)
{
	enum journal_urgency urgency = w->facts_hasten ? JOURNAL_NOW : JOURNAL_NEXT;
	struct journal_group *facts = take_facts(w);

	if (facts != NULL)
		append(w, &facts, urgency, NULL);
}

void keep_append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                 uint64_t *first_position)
{
	keep_flush(w);
	append(w, group, urgency, first_position);
}

void keep_commit_for(struct worker *w, journal_done_fn *done, void *context)
{
	struct journal_group *group = journal_group_new(done, context);

	keep_append(w, &group, JOURNAL_NOW, NULL);
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct receipt *receipt = journal_group_context(group);

	(void)executor_arg;
	if (status == 0)
		receipt_done(&receipt, REASON_SUCCESS, SLICE_EMPTY);
	else
		receipt_failed(&receipt);
}

void keep_commit(struct worker *w, struct receipt **receipt)
{
	struct conn *c = (*receipt)->conn;

	keep_commit_for(w, on_committed, *receipt);
	*receipt = NULL;
	if (c != NULL)
		input_limit_note_journal(c);
}
