/* Each record is filled from the session as it is. */
#include "session/session_journal.h"

#include "durability/durability.h"
#include "durability/record_batch.h"
#include "durability/record_codec.h"
#include "session/client_link.h"
#include "worker/shared.h"

bool session_journal_is_on(const struct session *s)
{
	return s->durable && durability_is_on(s->worker);
}

static void add_plain(struct session *s, enum record_kind kind, uint64_t number, bool urgent)
{
	struct record record = {.kind = kind, .session_id = s->id, .number = number};

	REQUIRE_OWNER(s);
	record_batch_add(s->worker, &record, urgent);
}

static void add_value(struct session *s, struct record *record, struct buf *value)
{
	REQUIRE_OWNER(s);
	record->session_id = s->id;
	record->value = buf_slice(value);
	record_batch_add(s->worker, record, true);
	buf_fini(value);
}

static uint64_t store_time(const struct worker *w, uint64_t monotonic_ms)
{
	return journal_time_ms(w->shared->journal, monotonic_ms);
}

/* How it logged in matters to its connection only: what is stored is what a user of the source, or
 * one without an entry, has always been. */
static enum identity_kind stored_kind(const struct identity *id)
{
	if (id->kind != IDENTITY_PEER && id->kind != IDENTITY_ASSUMED)
		return id->kind;
	return id->entry_id == 0 ? IDENTITY_CERTIFICATE : IDENTITY_PASSWORD;
}

static struct user_record user_of(const struct session *s)
{
	return (struct user_record){.kind = stored_kind(s->identity),
	                            .name = s->identity->name,
	                            .entry_id = s->identity->entry_id,
	                            .credential = s->identity->credential};
}

/* [MQTT3-4.1.0-1] [MQTT5-3.1.2-23] */
void session_journal_state(struct session *s)
{
	struct session_record row = {
	    .user = user_of(s), .client_id = session_client_id(s), .expiry_s = s->expiry_s};
	const struct conf_limits *limits = session_limits(s);
	struct record record = {.kind = RECORD_SESSION};
	bool here = s->link != NULL;
	struct buf value = {0};

	REQUIRE(!s->ended);
	if (!session_journal_is_on(s))
		return;
	if (!here)
		row.away_since_ms = store_time(s->worker, s->away_since_ms);
	if (s->removed)
		row.removed_since_ms = store_time(s->worker, s->removed_since_ms);
	/* How much its queue on disk may hold: what waits, as limits say, and what is in flight
	 * besides. */
	record.number =
	    (uint64_t)limits->queue_messages + (here ? s->link->receive_maximum : s->sent.count);
	record.bound_bytes = limits->queue_bytes + (here ? limits->queue_bytes : s->sent.bytes);
	record_put_session(&value, &row);
	add_value(s, &record, &value);
}

void session_journal_end(struct session *s)
{
	if (session_journal_is_on(s))
		/* mutant: ended_returns */
		add_plain(s, RECORD_SESSION_END, 0, true);
}

void session_journal_subscription(const struct subscription *sub)
{
	struct subscription_record row = {.filter = slice_of(sub->filter, sub->filter_len),
	                                  .options = sub->options,
	                                  .id = sub->id};
	struct record record = {.kind = RECORD_SUBSCRIPTION, .number = sub->number};
	struct buf value = {0};

	/* mutant: subscription_lost */
	if (!session_journal_is_on(sub->session))
		return;
	record_put_subscription(&value, &row);
	add_value(sub->session, &record, &value);
}

void session_journal_unsubscription(const struct subscription *sub)
{
	if (session_journal_is_on(sub->session))
		add_plain(sub->session, RECORD_UNSUBSCRIPTION, sub->number, true);
}

void session_journal_replay(const struct subscription *sub, uint64_t until)
{
	struct replay_record row = {.until = until};
	struct record record = {.kind = RECORD_REPLAY, .number = sub->number};
	struct buf value = {0};

	if (!session_journal_is_on(sub->session))
		return;
	record_put_replay(&value, &row);
	add_value(sub->session, &record, &value);
}

void session_journal_replay_done(struct session *s, uint64_t subscription_number)
{
	if (session_journal_is_on(s))
		add_plain(s, RECORD_REPLAY_DONE, subscription_number, false);
}

void session_journal_inbound(struct session *s, uint16_t packet_id)
{
	REQUIRE(session_journal_is_on(s));
	add_plain(s, RECORD_INBOUND, packet_id, true);
}

void session_journal_inbound_done(struct session *s, uint16_t packet_id, bool urgent)
{
	if (session_journal_is_on(s))
		add_plain(s, RECORD_INBOUND_DONE, packet_id, urgent);
}

static void put_sent(struct buf *value, const struct inflight *o)
{
	struct inflight_record row = {.packet_id = o->packet_id, .released = o->released};

	REQUIRE(o->packet_id != 0);
	record_put_inflight(value, &row);
}

void session_journal_inflight(struct session *s, const struct inflight *o)
{
	struct record record = {.kind = RECORD_SENT, .number = o->position};
	struct buf value = {0};

	if (o->position == 0)
		return;
	put_sent(&value, o);
	add_value(s, &record, &value);
}

void session_journal_add_inflight(struct journal_group *group, const struct session *s,
                                  const struct inflight *o)
{
	struct delivery_record delivery = {.qos = o->qos, .retain = o->retain};
	struct record queue = {.kind = RECORD_QUEUE, .session_id = s->id, .msg = o->msg};
	struct record sent = {.kind = RECORD_SENT, .session_id = s->id, .number = o->position};
	struct buf value = {0};

	if (o->position == 0) {
		if (o->info != NULL)
			delivery.ids = o->info->ids;
		record_put_delivery(&value, &delivery);
		queue.value = buf_slice(&value);
		journal_group_add(group, &queue);
		buf_clear(&value);
	}
	put_sent(&value, o);
	sent.value = buf_slice(&value);
	journal_group_add(group, &sent);
	buf_fini(&value);
}

/* A CONNACK without a kept session does not wait for its will. */
void session_journal_will(struct session *s, uint64_t due_ms)
{
	struct worker *w = s->worker;
	struct will_record row = {
	    .user = user_of(s), .client_id = session_client_id(s), .delay_s = s->will->delay_s};
	struct record record = {.kind = RECORD_WILL, .session_id = s->id, .msg = s->will->msg};
	struct buf value = {0};

	if (!durability_is_on(w))
		return;
	if (due_ms != 0)
		row.due_ms = store_time(w, due_ms);
	record_put_will(&value, &row);
	record.value = buf_slice(&value);
	record_batch_add(w, &record, s->durable);
	buf_fini(&value);
	s->will->recorded = true;
}

void session_journal_will_done(struct session *s)
{
	if (!s->will->recorded)
		return;
	add_plain(s, RECORD_WILL_DONE, 0, true);
	s->will->recorded = false;
}
