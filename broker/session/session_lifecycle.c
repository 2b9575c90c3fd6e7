/* A session begins with a CONNECT, waits for its client, and ends by time or by a clean start. */
#include "session/session_lifecycle.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/list.h"
#include "base/random.h"
#include "durability/record_batch.h"
#include "session/denials.h"
#include "session/disk_queue.h"
#include "session/inflight/inbound.h"
#include "session/inflight/inflight_end.h"
#include "session/inflight/pending_ack.h"
#include "session/losses.h"
#include "session/memory_wait.h"
#include "session/replay.h"
#include "session/session_journal.h"
#include "session/session_report.h"
#include "session/session_upcalls.h"
#include "session/session_work.h"
#include "session/subscription.h"
#include "session/trace.h"
#include "session/will.h"
#include "worker/shared.h"

#define REMOVED_USER_RETENTION_MS ((uint64_t)24 * 3600 * 1000)

/* Nobody finds it any more. */
static void leave_tables(struct session *s)
{
	struct session_key key = session_key_of(s->origin->user_key, s->origin->client_id);
	struct worker *w = s->worker;

	REQUIRE(!s->ended);
	executor_timer_disarm(&w->executor, &s->expiry_timer);
	session_work_forget(s);
	memory_wait_forget(s);
	if (s->durable)
		shared_session_give(w->shared, s->identity->key);
	table_remove(&w->sessions->by_key, key.hash, s);
	table_remove(&w->sessions->by_id, hash_id(s->id), s);
	if (s->set_aside) {
		uncount(&w->counters.set_aside_sessions, 1);
		uncount(&w->counters.set_aside_messages, s->set_aside_messages);
	}
	if (w->sessions->next_to_check == s)
		w->sessions->next_to_check = s->list_next;
	DL_DELETE2(w->sessions->all, s, list_prev, list_next);
	uncount(&w->counters.sessions, 1);
	s->ended = true;
}

/* The end is recorded when no message is left that has to go to somebody else (D1). */
static bool finish_end(struct session *s, size_t *steps)
{
	if (s->giving_stage != GIVING_NOTHING) {
		if (!inflight_end_give_some(s, steps))
			return false;
		session_journal_end(s);
	}
	return s->will == NULL;
}

static bool is_in_leaving(const struct session *s, const struct session_key *key)
{
	const struct table *leaving = &s->worker->sessions->leaving;
	struct table_probe probe = table_probe_of(leaving, key->hash);
	void **place;

	while (leaving->count > 0 && (place = table_probe_next(&probe)) != NULL) {
		if (*place == s)
			return true;
	}
	return false;
}

bool session_lifecycle_free_some(struct session *s, size_t *steps)
{
	struct worker *w = s->worker;
	struct session_key key = session_key_of(s->origin->user_key, s->origin->client_id);

	REQUIRE_OWNER(s);
	REQUIRE(s->ended && s->link == NULL);
	if (!finish_end(s, steps))
		return false;
	if (is_in_leaving(s, &key))
		table_remove(&w->sessions->leaving, key.hash, s);
	if (!subscriptions_free(s, steps) || !inflight_end_free_some(s, steps) ||
	    !inbound_free_all(s, steps))
		return false;
	replays_free(s);
	charge_sub(w, &s->charge, session_cost(s->identity, s->origin->client_id));
	charge_sub(w, &s->charge, s->slot_count * sizeof(struct inflight *));
	charge_sub(w, &s->charge, s->pending_bytes);
	charge_sub(w, &s->charge, s->log_limits == NULL ? 0 : sizeof(*s->log_limits));
	REQUIRE(s->charge.bytes == 0); /* what it had is freed, and was given back */
	charge_fini(w, &s->charge);
	acl_subject_free(s->subject);
	origin_unref(&s->origin);
	identity_unref(&s->identity);
	free(s->log_limits);
	free(s->slots);
	free(s);
	return true;
}

/* Of one with very much in it the rest is freed in later turns. */
#define END_STEPS(w) ((w)->turn_steps / 64 + 1)

void session_lifecycle_end(struct session *s)
{
	/* mutant: session_end_slices */
	size_t steps = END_STEPS(s->worker);

	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL);
	leave_tables(s);
	inflight_end_give_shared(s);
	s->worker->upcalls->on_will_due(s);
	if (session_lifecycle_free_some(s, &steps))
		return;
	if (s->giving_stage != GIVING_NOTHING || s->will != NULL) {
		struct session_key key = session_key_of(s->origin->user_key, s->origin->client_id);

		table_add(&s->worker->sessions->leaving, key.hash, s);
	}
	session_work_add_ended(s);
}

void session_lifecycle_finish(struct worker *w, const struct session_key *key)
{
	struct table_probe probe = table_probe_of(&w->sessions->leaving, key->hash);
	void **place;

	REQUIRE_EXECUTOR(&w->executor);
	while ((place = table_probe_next(&probe)) != NULL) {
		size_t steps = SIZE_MAX;

		(void)finish_end(*place, &steps);
	}
}

void session_lifecycle_free(struct session *s)
{
	size_t steps = SIZE_MAX;

	will_leave(s);
	leave_tables(s);
	s->giving_stage = GIVING_NOTHING;
	(void)session_lifecycle_free_some(s, &steps);
}

/* [MQTT5-4.1.0-2] */
static void on_expiry(struct timer *timer, void *executor_arg)
{
	struct session *s = container_of(timer, struct session, expiry_timer);

	(void)executor_arg;
	/* Its client may be on its way back. */
	if (executor_postpones(&s->worker->executor, timer, s->away_since_ms))
		return;
	session_report_expired(s);
	session_lifecycle_end(s); /* [MQTT5-3.1.2-23] */
}

/* Takes over the payer. */
static struct session *make_session(struct worker *w, uint64_t id, struct identity *identity,
                                    const struct session_key *key, bool durable,
                                    struct payer *payer)
{
	bool anonymous = identity->kind == IDENTITY_ANONYMOUS;
	struct session *s = xnew(s);

	s->id = id;
	s->worker = w;
	s->identity = identity_ref(identity);
	s->origin = origin_new(anonymous, s->id, identity->key, identity->name, key->client_id);
	s->durable = durable;
	s->expiry_timer.fire = on_expiry;
	charge_init(&s->charge, payer);
	charge_add(w, &s->charge, session_cost(identity, key->client_id));
	table_add(&w->sessions->by_key, key->hash, s);
	table_add(&w->sessions->by_id, hash_id(s->id), s);
	DL_APPEND2(w->sessions->all, s, list_prev, list_next);
	count(&w->counters.sessions);
	return s;
}

struct session *session_lifecycle_new(struct worker *w, struct identity *identity,
                                      const struct session_key *key, bool durable,
                                      struct payer *payer)
{
	return make_session(w, w->sessions->next_id++, identity, key, durable, payer);
}

struct session *session_lifecycle_restore(struct worker *w, uint64_t id, struct identity *identity,
                                          const struct session_key *key)
{
	return make_session(w, id, identity, key, true,
	                    payers_find(&w->shared->payers, PAYER_USER, identity->key));
}

void session_lifecycle_set_expiry(struct session *s, uint32_t expiry_s,
                                  const struct conf_limits *limits)
{
	s->expiry_s =
	    expiry_s > limits->max_session_expiry_s ? limits->max_session_expiry_s : expiry_s;
}

static void cancel_will(struct session *s, const char *cause)
{
	if (trace_is_on() && s->will != NULL && trace_wants_session(s))
		LOG(WILL_CANCELLED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(s->will->msg), .cause = cause);
	will_drop(s);
}

/* [MQTT3-4.1.0-2] [MQTT5-4.1.0-1] */
void session_lifecycle_attach(struct session *s)
{
	REQUIRE_OWNER(s);
	REQUIRE(s->link != NULL && s->in_flight_count == 0);
	executor_timer_disarm(&s->worker->executor, &s->expiry_timer);
	cancel_will(
	    s,
	    "the client is back before the Will Delay Interval has passed"); /* [MQTT5-3.1.3-9] */
	subscriptions_online(s, true);
	inflight_end_return(s);
	session_journal_state(s);
}

void session_lifecycle_commit(struct session *s, struct pending_ack **pending_ack)
{
	REQUIRE_OWNER(s);
	if (s->worker->records->group != NULL && (s->durable || s->ended_another))
		pending_ack_commit(s->worker, pending_ack);
	else
		pending_ack_done(pending_ack, REASON_SUCCESS, SLICE_EMPTY);
	s->ended_another = false;
}

/* The will of a connection that broke: at once, or after its delay, or when the session ends,
 * whichever is first. [MQTT5-3.1.3-9] [MQTT3-3.1.2-8, -12] [MQTT5-3.1.2-8] */
static void leave_will(struct session *s)
{
	if (s->will == NULL)
		return;
	if (s->worker->stopping) {
		will_leave(s);
	} else if (s->will->delay_s == 0 || s->expiry_s == 0) {
		s->worker->upcalls->on_will_due(s);
	} else {
		executor_timer_arm(&s->worker->executor, &s->will->delay,
		                   (uint64_t)s->will->delay_s * 1000);
		session_journal_will(s, s->will->delay.due_ms);
	}
}

/* `since` may lie before the beginning of the clock (restore.c): modulo 2^64. */
static uint64_t due_after(const struct session *s, uint64_t since, uint64_t ms)
{
	uint64_t now = s->worker->executor.now_ms;

	return now - since >= ms ? now : since + ms;
}

/* When it ends by itself: its interval, or a day after its user was removed, whichever is first. */
void session_lifecycle_arm_expiry(struct session *s)
{
	/* mutant: expiry_late */
	uint64_t due = s->expiry_s == EXPIRY_NEVER
	                   ? UINT64_MAX
	                   : due_after(s, s->away_since_ms, (uint64_t)s->expiry_s * 1000);
	uint64_t removed_due = due_after(s, s->removed_since_ms, REMOVED_USER_RETENTION_MS);

	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL);
	/* mutant: removed_returns */
	if (s->removed && removed_due < due)
		due = removed_due;
	if (due == UINT64_MAX)
		executor_timer_disarm(&s->worker->executor, &s->expiry_timer);
	else
		timer_arm(&s->worker->executor.timers, &s->expiry_timer, due);
}

/* [MQTT3-4.1.0-1] [MQTT5-3.1.2-23] */
bool session_lifecycle_detach(struct session *s, bool publish_will)
{
	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL && !s->ended);
	if (publish_will)
		leave_will(s);
	else
		cancel_will(s,
		            "the client sent DISCONNECT"); /* [MQTT3-3.1.2-10] [MQTT5-3.1.2-10] */
	if (s->expiry_s == 0) {
		session_report_end(s, "its client has set the Session Expiry Interval to 0");
		session_lifecycle_end(s);
		return false;
	}
	for (struct inflight *o = s->sent.head; o != NULL; o = o->next)
		o->in_flight = false;
	s->in_flight_count = 0;
	s->next_resend = s->sent.head;
	subscriptions_online(s, false);
	replays_page_out(s);
	disk_queue_page_out(s);
	inflight_end_leave(s);
	s->away_since_ms = s->worker->executor.now_ms;
	session_journal_state(s);
	session_lifecycle_arm_expiry(s);
	return true;
}

void session_lifecycle_check_removal(struct session *s)
{
	bool removed = identity_source_has_removed(s->worker->snapshot->identities, s->identity);

	REQUIRE_OWNER(s);
	if (removed == s->removed)
		return;
	s->removed = removed;
	s->removed_since_ms = s->worker->executor.now_ms;
	session_journal_state(s);
	if (s->link == NULL)
		session_lifecycle_arm_expiry(s);
}

void session_lifecycle_init(struct worker *w)
{
	w->sessions = xnew(w->sessions);
	recent_init(&w->sessions->denials, DENIALS_MAX, DENIALS_PER_CLIENT, DENIALS_BYTES);
	recent_init(&w->sessions->losses, LOSSES_MAX, LOSSES_PER_CLIENT, LOSSES_BYTES);
	/* Session ids are never used again, not even by the next process: they begin at a random
	 * place. */
	w->sessions->next_id = ((uint64_t)(w->executor.index + 1) << 56) | (random_u64() >> 12);
}

void session_lifecycle_fini(struct worker *w)
{
	struct session_table *t = w->sessions;

	REQUIRE(t->all == NULL && t->ended == NULL && t->working == NULL);
	REQUIRE(t->attaching == NULL && t->leaving.count == 0);
	REQUIRE(t->by_key.count == 0 && t->by_id.count == 0 && t->filters.count == 0);
	table_fini(&t->leaving);
	REQUIRE(!timer_is_armed(&t->memory_timer));
	acl_subject_free(t->writer_subject);
	origin_unref(&t->writer_origin);
	recent_fini(&t->denials);
	recent_fini(&t->losses);
	free(t);
}
