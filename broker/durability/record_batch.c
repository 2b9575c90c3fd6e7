/* Records of an executor, gathered into groups. */
#include "durability/record_batch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/record_codec.h"
#include "proto/topic.h"
#include "session/client_link.h"
#include "session/input_limit.h"
#include "worker/shared.h"

enum conf_durability topic_durability(const struct worker *w, struct slice topic)
{
	const struct conf *conf = w->snapshot->conf;

	for (size_t i = 0; i < conf->persistence_topic_count; i++) {
		const struct conf_durable_topic *t = &conf->persistence_topics[i];

		if (topic_matches(slice_of_str(t->filter), topic))
			return t->durability;
	}
	return conf->durability;
}

void record_batch_init(struct worker *w)
{
	w->records = xnew(w->records);
}

void record_batch_fini(struct worker *w)
{
	journal_group_free(w->records->group);
	free(w->records);
}

/* --- gathering --- */

/* `is urgent`: a commit begins at the end of the turn at the latest; else it goes with the next. */
static void add_record(struct worker *w, const struct record *record, bool urgent)
{
	if (w->records->group == NULL)
		w->records->group = journal_group_new(NULL, NULL);
	journal_group_add(w->records->group, record);
	w->records->urgent |= urgent;
	w->work += 2;
}

static void add_plain(struct session *s, enum record_kind kind, uint64_t number, bool urgent)
{
	struct record record = {.kind = kind, .session_id = s->id, .number = number};

	add_record(s->worker, &record, urgent);
}

static void add_value(struct session *s, struct record *record, struct buf *value)
{
	record->session_id = s->id;
	record->value = buf_slice(value);
	add_record(s->worker, record, true);
	buf_fini(value);
}

bool session_is_recorded(const struct session *s)
{
	return s->durable && journal_is_on(s->worker);
}

static uint64_t store_time(const struct worker *w, uint64_t monotonic_ms)
{
	return journal_time_ms(w->shared->journal, monotonic_ms);
}

static struct user_record user_of(const struct session *s)
{
	return (struct user_record){.kind = s->identity->kind,
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
	bool here = s->link != NULL;

	record->number =
	    (uint64_t)limits->queue_messages + (here ? s->link->receive_maximum : s->sent.count);
	record->bound_bytes = limits->queue_bytes + (here ? limits->queue_bytes : s->sent.bytes);
}

/* [MQTT3-4.1.0-1] [MQTT5-3.1.2-23] */
void record_session(struct session *s)
{
	struct session_record kept = {
	    .user = user_of(s), .client_id = session_client_id(s), .expiry_s = s->expiry_s};
	struct record record = {.kind = RECORD_SESSION};
	struct buf value = {0};

	if (!session_is_recorded(s))
		return;
	if (s->link == NULL)
		kept.away_since_ms = store_time(s->worker, s->away_since_ms);
	if (s->removed)
		kept.removed_since_ms = store_time(s->worker, s->removed_since_ms);
	bound_queue(s, &record);
	record_put_session(&value, &kept);
	add_value(s, &record, &value);
}

void record_session_end(struct session *s)
{
	if (session_is_recorded(s))
		/* mutant: ended_returns */
		add_plain(s, RECORD_SESSION_END, 0, true);
}

/* --- subscriptions --- */

void record_subscription(const struct subscription *sub)
{
	struct subscription_record kept = {.filter = slice_of(sub->filter, sub->filter_len),
	                                   .options = sub->options,
	                                   .id = sub->id};
	struct record record = {.kind = RECORD_SUBSCRIPTION, .number = sub->number};
	struct buf value = {0};

	/* mutant: subscription_lost */
	if (!session_is_recorded(sub->session))
		return;
	record_put_subscription(&value, &kept);
	add_value(sub->session, &record, &value);
}

void record_unsubscription(const struct subscription *sub)
{
	if (session_is_recorded(sub->session))
		add_plain(sub->session, RECORD_UNSUBSCRIPTION, sub->number, true);
}

void record_replay(const struct subscription *sub, uint64_t until)
{
	struct replay_record kept = {.until = until};
	struct record record = {.kind = RECORD_REPLAY, .number = sub->number};
	struct buf value = {0};

	if (!session_is_recorded(sub->session))
		return;
	record_put_replay(&value, &kept);
	add_value(sub->session, &record, &value);
}

void record_replay_done(struct session *s, uint64_t subscription_number)
{
	if (session_is_recorded(s))
		add_plain(s, RECORD_REPLAY_DONE, subscription_number, false);
}

/* --- messages --- */

void record_inbound_done(struct session *s, uint16_t packet_id, bool urgent)
{
	if (session_is_recorded(s))
		add_plain(s, RECORD_INBOUND_DONE, packet_id, urgent);
}

static void add_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	struct record record = {
	    .kind = RECORD_QUEUE_DONE, .session_id = session_id, .number = position};

	add_record(w, &record, false);
}

void record_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	if (position != 0)
		add_queue_done(w, session_id, position);
}

static void put_sent(struct buf *value, const struct inflight *o)
{
	struct inflight_record kept = {.packet_id = o->packet_id, .released = o->released};

	record_put_inflight(value, &kept);
}

void record_inflight(struct session *s, const struct inflight *o)
{
	struct record record = {.kind = RECORD_SENT, .number = o->position};
	struct buf value = {0};

	if (o->position == 0)
		return;
	put_sent(&value, o);
	add_value(s, &record, &value);
}

void record_batch_queue(struct worker *w, struct journal_group *group,
                        const struct target_item *item, struct msg *msg, bool report)
{
	struct delivery_record way = {.qos = item->qos,
	                              .retain = item->retain_as_published && msg->retain,
	                              .ids = item->ids,
	                              .tried_count = item->tried_count};
	struct record record = {.kind = RECORD_QUEUE,
	                        .session_id = item->session_id,
	                        .group_id = item->group_id,
	                        .executor =
	                            report ? &w->shared->workers[item->executor]->executor : NULL,
	                        .msg = msg};
	struct buf value = {0};

	memcpy(way.tried, item->tried, sizeof(way.tried));
	record_put_delivery(&value, &way);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

static void add_queue_of(struct journal_group *group, const struct session *s,
                         const struct inflight *o)
{
	struct delivery_record way = {.qos = o->qos, .retain = o->retain};
	struct record record = {.kind = RECORD_QUEUE, .session_id = s->id, .msg = o->msg};
	struct buf value = {0};

	if (o->way != NULL)
		way.ids = o->way->ids;
	record_put_delivery(&value, &way);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

void record_batch_inflight(struct journal_group *group, const struct session *s,
                           const struct inflight *o)
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
void record_will(struct session *s, uint64_t due_ms)
{
	struct worker *w = s->worker;
	struct will_record kept = {
	    .user = user_of(s), .client_id = session_client_id(s), .delay_s = s->will->delay_s};
	struct record record = {.kind = RECORD_WILL, .session_id = s->id, .msg = s->will->msg};
	struct buf value = {0};

	if (!journal_is_on(w))
		return;
	if (due_ms != 0)
		kept.due_ms = store_time(w, due_ms);
	record_put_will(&value, &kept);
	record.value = buf_slice(&value);
	add_record(w, &record, s->durable);
	buf_fini(&value);
	s->will->kept = true;
}

void record_will_done(struct session *s)
{
	if (!s->will->kept)
		return;
	add_plain(s, RECORD_WILL_DONE, 0, true);
	s->will->kept = false;
}

/* --- groups --- */

static struct journal_group *take_records(struct worker *w)
{
	struct journal_group *pending_records = w->records->group;

	w->records->group = NULL;
	w->records->urgent = false;
	return pending_records;
}

static void append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                   uint64_t *first_position)
{
	w->work += 2 + journal_group_count(*group);
	journal_append(w->shared->journal, &w->executor, group, urgency, first_position);
}

void record_batch_flush(struct worker *w)
{
	enum journal_urgency urgency = w->records->urgent ? JOURNAL_NOW : JOURNAL_NEXT;
	struct journal_group *pending_records = take_records(w);

	if (pending_records != NULL)
		append(w, &pending_records, urgency, NULL);
}

void record_batch_append(struct worker *w, struct journal_group **group,
                         enum journal_urgency urgency, uint64_t *first_position)
{
	record_batch_flush(w);
	append(w, group, urgency, first_position);
}

void record_batch_commit_for(struct worker *w, journal_done_fn *done, void *context)
{
	struct journal_group *group = journal_group_new(done, context);

	record_batch_append(w, &group, JOURNAL_NOW, NULL);
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct pending_ack *pending_ack = journal_group_context(group);

	(void)executor_arg;
	if (status == 0)
		pending_ack_done(&pending_ack, REASON_SUCCESS, SLICE_EMPTY);
	else
		pending_ack_failed(&pending_ack);
}

void record_batch_commit(struct worker *w, struct pending_ack **pending_ack)
{
	struct client_link *link = (*pending_ack)->link;

	record_batch_commit_for(w, on_committed, *pending_ack);
	*pending_ack = NULL;
	if (link != NULL)
		input_limit_note_journal(link);
}
