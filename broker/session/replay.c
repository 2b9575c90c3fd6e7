/* Retained values for a new subscription: in slices, one replay per subscription, never more than
 * the client takes.  A value is given only while the one who wrote it could still write it.  Of a
 * session that is kept the values are gathered first, then put into its queue on disk all together,
 * then given from there. */
#include "session/replay.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/list.h"
#include "durability/durability.h"
#include "durability/record_batch.h"
#include "proto/topic.h"
#include "session/disk_queue.h"
#include "session/inflight/inflight.h"
#include "session/link_output.h"
#include "session/memory_wait.h"
#include "session/session_deliver.h"
#include "session/session_journal.h"
#include "session/session_work.h"
#include "tree/retain_cursor.h"
#include "worker/memory_quota.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

#define SLICE_VALUES 256
/* What a cursor costs at least, in values: its steps cost time where it finds nothing too. */
#define CURSOR_VALUES 16
#define SLICE_BYTES   (LINK_OUTPUT_MAX / 4) /* two of them stay below what a backlog may be */

struct replay {
	struct replay *prev, *next;
	struct subscription *sub; /* NULL: all of it is in the queue on disk, and is being given */
	struct retain_cursor *cursor; /* NULL: its end was reached */
	uint64_t until;
	bool
	    recorded; /* the journal has it: values gather here, and enter the queue all together */
	struct msg **values;
	size_t value_count, value_cap, given;
	size_t bytes;   /* of those that are not given yet */
	size_t charged; /* to the session, of all that it holds */
	/* What enters the queue, while it is being built. */
	struct journal_group *group;
	size_t grouped;
	/* By what options it entered the queue: sub NULL. */
	uint64_t position; /* of the next value to be given */
	uint32_t subscription_id;
	uint8_t qos;
};

struct slice_of_values {
	struct worker *worker;
	struct msg *messages[SLICE_VALUES];
	size_t count;
	size_t bytes;
};

/* --- may the writer still write it? --- */

/* NULL: removed and locked users write nothing; a namesake made later is somebody else. */
static const struct acl_subject *writer_subject(struct worker *w, struct origin *origin)
{
	struct session_table *t = w->sessions;
	const struct config_snapshot *snapshot = w->snapshot;

	if (t->writer_origin == origin && t->writer_generation == snapshot->generation)
		return t->writer_subject;
	acl_subject_free(t->writer_subject);
	t->writer_subject = NULL;
	origin_unref(&t->writer_origin);
	t->writer_origin = origin_ref(origin);
	t->writer_generation = snapshot->generation;
	/* mutant: namesake_value */
	if (origin->anonymous || user_ids_may_write(snapshot->user_ids, snapshot->identities,
	                                            origin->user_name, origin->user_key))
		t->writer_subject = config_snapshot_subject(snapshot, origin->anonymous,
		                                            origin->user_name, origin->client_id);
	return t->writer_subject;
}

static bool writer_permitted(struct worker *w, const struct msg *msg)
{
	struct acl_request request = publish_access_request(ACL_PUBLISH, msg);
	const struct acl_subject *subject;

	if (msg_is_of_broker(msg))
		return true;
	subject = writer_subject(w, msg->origin);
	if (subject == NULL)
		return false;
	if (acl_check(subject, &request).allowed)
		return true;
	request.action = ACL_WILL; /* it may have been a will */
	return acl_check(subject, &request).allowed;
}

/* Under the tree's lock: collect only. The answer about the writer is stored with the value for
 * each configuration. */
static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct slice_of_values *slice = arg;
	uint32_t generation = (uint32_t)slice->worker->snapshot->generation;

	if (atomic_load_explicit(writer_generation, memory_order_relaxed) != generation) {
		if (!writer_permitted(slice->worker, msg))
			return true;
		atomic_store_explicit(writer_generation, generation, memory_order_relaxed);
	}
	slice->messages[slice->count++] = msg_ref(msg);
	slice->bytes += msg_bytes(msg);
	return slice->count < SLICE_VALUES && slice->bytes < SLICE_BYTES;
}

/* --- its parts --- */

/* The values that are not given are given back. */
static void forget_values(struct replay *r)
{
	for (size_t i = r->given; i < r->value_count; i++)
		msg_unref(&r->values[i]);
	free(r->values);
	r->values = NULL;
	r->value_count = r->value_cap = r->given = 0;
	r->bytes = 0;
}

/* What was prepared for the queue is prepared again, with other options. */
static void forget_group(struct replay *r)
{
	journal_group_free(r->group);
	r->group = NULL;
	r->grouped = r->given;
}

/* It has so much of the session's memory now. */
static void charge(struct session *s, struct replay *r, size_t bytes)
{
	charge_add(s->worker, &s->charge, (uint64_t)bytes - r->charged); /* modulo 2^64 */
	r->charged = bytes;
}

static void replay_free(struct session *s, struct replay *r)
{
	charge(s, r, 0);
	if (r->sub != NULL)
		r->sub->replay = NULL;
	DL_DELETE(s->replays, r);
	retain_cursor_free(&r->cursor);
	forget_group(r);
	forget_values(r);
	free(r);
}

/* [MQTT3-3.3.1-8] [MQTT5-3.8.4-4] */
static struct delivery delivery_of(const struct replay *r)
{
	const struct subscription *sub = r->sub;

	return (struct delivery){
	    .qos = sub != NULL ? sub->options.qos : r->qos,
	    .retain = true,
	    .paced = true,
	    .position = r->position,
	    .ids = {.one = sub != NULL ? sub->id : r->subscription_id}}; /* [MQTT3-3.3.1-8] */
}

/* --- slices --- */

/* Values that were gathered go to the client. */
static size_t give_slice(struct session *s, struct replay *r, size_t budget)
{
	struct delivery d = delivery_of(r);
	size_t count = r->value_count - r->given, bytes = 0;

	if (count > budget)
		count = budget;
	for (size_t i = 0; i < count && bytes < SLICE_BYTES; i++) {
		struct msg **msg = &r->values[r->given++];

		bytes += msg_bytes(*msg);
		session_deliver(s, &(struct delivery_context){.msg = *msg}, &d);
		msg_unref(msg);
		if (d.position != 0)
			d.position++;
	}
	r->bytes -= bytes;
	r->position = d.position;
	return count;
}

/* Values that were gathered are prepared for the queue. */
static size_t group_slice(struct session *s, struct replay *r, size_t budget)
{
	struct target_item item = {.session_id = s->id,
	                           .qos = r->sub->options.qos,
	                           .retain_as_published = true,
	                           .ids = {.one = r->sub->id}};
	size_t count = r->value_count - r->grouped;

	if (count > budget)
		count = budget;
	if (r->group == NULL)
		r->group = journal_group_new(NULL, NULL);
	for (size_t i = 0; i < count; i++)
		record_batch_queue(s->worker, r->group, &item, r->values[r->grouped++], false);
	return count;
}

/* What was gathered enters the queue on disk all together, and with it the replay is no more: after
 * a crash either all of it is given, or none was. D2, D5 */
static void finish_recorded(struct session *s, struct replay *r)
{
	/* mutant: replay_again */
	struct record done = {
	    .kind = RECORD_REPLAY_DONE, .session_id = s->id, .number = r->sub->number};
	struct delivery d = delivery_of(r);

	REQUIRE(r->cursor == NULL && r->grouped == r->value_count && r->given == 0);
	if (r->group == NULL)
		r->group = journal_group_new(NULL, NULL);
	journal_group_add(r->group, &done);
	r->qos = d.qos;
	r->subscription_id = d.ids.one;
	record_batch_append(s->worker, &r->group, JOURNAL_NEXT, &r->position);
	r->sub->replay = NULL;
	r->sub = NULL;
}

/* Values that enter the queue on disk wait for a journal that is slow. */
static bool may_go_on(const struct session *s)
{
	const struct replay *r = s->replays;

	/* mutant: input_limit_replays */
	return session_deliver_takes_replay(s) &&
	       !(r->recorded && r->sub != NULL && journal_is_full(s->worker->shared->journal));
}

static void wake(struct session *s)
{
	if (s->replays != NULL && may_go_on(s))
		session_work_add(s, SESSION_WORK_REPLAY);
}

/* Written by this client, on this connection or an earlier one: No Local is about client ids.
 * [MQTT5-3.8.3-3] */
static bool is_own(const struct session *s, const struct msg *msg)
{
	return !msg_is_of_broker(msg) &&
	       slice_equal(msg->origin->client_id, s->origin->client_id) &&
	       slice_equal(msg->origin->user_key, s->origin->user_key);
}

/* At most `budget` values from the tree; what it cost. */
static size_t read_slice(struct session *s, struct replay *r, size_t budget)
{
	struct worker *w = s->worker;
	struct slice_of_values slice = {.worker = w};
	struct delivery d = delivery_of(r);
	bool more = retain_cursor_visit(r->cursor, w->executor.index, w->executor.now_ms, budget,
	                                on_value, &slice);

	for (size_t i = 0; i < slice.count; i++) {
		struct msg *msg = slice.messages[i];

		/* mutant: own_retained_messages */
		if (r->sub->options.no_local && is_own(s, msg)) {
			msg_unref(&msg);
			continue;
		}
		if (!r->recorded || msg->qos == 0) {
			session_deliver(s, &(struct delivery_context){.msg = msg}, &d);
			msg_unref(&msg);
			continue;
		}
		array_reserve(r->values, r->value_cap, r->value_count + 1);
		r->values[r->value_count++] = msg; /* with its reference */
		r->bytes += msg_bytes(msg);
	}
	if (more)
		return budget;
	retain_cursor_free(&r->cursor);
	return slice.count > CURSOR_VALUES ? slice.count : CURSOR_VALUES;
}

/* A slice of the first one: what it cost. */
static size_t one_slice(struct session *s, size_t budget)
{
	struct replay *r = s->replays;

	if (r->value_count > r->given && !(r->recorded && r->sub != NULL))
		return give_slice(s, r, budget);
	if (r->cursor != NULL)
		return read_slice(s, r, budget);
	if (r->sub == NULL || !r->recorded) {
		replay_free(s, r);
		return 1;
	}
	if (r->grouped < r->value_count)
		return group_slice(s, r, budget);
	finish_recorded(s, r);
	return 1;
}

/* --- memory --- */

/* In what is prepared for the queue. */
#define RECORD_BYTES ((size_t)256)

/* The values too: they may not be the retained ones any more. */
static size_t memory_of(const struct replay *r)
{
	size_t begun = r->cursor == NULL ? 0 : retain_cursor_bytes(r->cursor);

	return sizeof(*r) + begun + r->value_cap * sizeof(struct msg *) +
	       (r->group == NULL ? 0 : (r->grouped - r->given) * RECORD_BYTES) + r->bytes;
}

/* Has nothing of it been given yet? */
static bool may_gather_again(const struct replay *r)
{
	return r->sub != NULL && r->recorded && r->given == 0;
}

/* What was gathered is released, and gathered again. */
static void gather_again(struct session *s, struct replay *r)
{
	forget_group(r);
	forget_values(r);
	retain_cursor_free(&r->cursor);
	r->cursor =
	    retain_cursor_new(s->worker->shared->retain, subscription_filter(r->sub), r->until);
	charge(s, r, memory_of(r));
}

/* It stands still, for its client does not read or acknowledge: what it holds is held against the
 * session. Where there is no memory for that it waits on disk, or begins again. */
static void hold(struct session *s, struct replay *r)
{
	size_t bytes = memory_of(r), count = r->value_count - r->given;
	/* mutant: memory_replay_held */
	bool fits = bytes <= r->charged ||
	            quota_memory(s->worker, s->charge.payer, bytes - r->charged) == NULL;

	if (!fits && may_gather_again(r)) {
		gather_again(s, r);
	} else if (!fits && r->sub == NULL &&
	           disk_queue_leave_rest(s, r->position, count, r->bytes)) {
		replay_free(s, r);
		memory_wait(s);
	} else {
		charge(s, r, bytes);
	}
}

/* How many values may be read: none where there is no memory for them, one where the client waits
 * for nothing else. What is gathered is not sent yet, see hold(). */
static size_t affordable(struct session *s, size_t budget)
{
	const struct replay *r = s->replays;

	if ((r->recorded && r->sub != NULL) ||
	    quota_memory(s->worker, s->charge.payer, SLICE_BYTES) == NULL)
		return budget;
	return s->waiting.count == 0 && s->sent.count == 0 &&
	               quota_memory_drain(s->worker, s->charge.payer, LINK_OUTPUT_FREE) == NULL
	           ? 1
	           : 0;
}

/* Several filters of one SUBSCRIBE share a turn where they have little to give. */
size_t replay_slice(struct session *s)
{
	size_t left = SLICE_VALUES;

	REQUIRE_OWNER(s);
	while (left > 0 && s->replays != NULL && may_go_on(s)) {
		size_t budget = affordable(s, left), cost;

		if (budget == 0) {
			hold(s, s->replays);
			memory_wait(s);
			return SLICE_VALUES - left;
		}
		cost = one_slice(s, budget);
		left -= cost < left ? cost : left;
	}
	if (s->replays != NULL && !may_go_on(s))
		hold(s, s->replays);
	wake(s);
	return SLICE_VALUES - left;
}

/* --- beginning and end --- */

static bool needs_record(const struct session *s, const struct subscription *sub)
{
	return s->durable && sub->options.qos > 0 && durability_is_on(s->worker);
}

static void start(struct session *s, struct subscription *sub, uint64_t until)
{
	struct replay *r = xnew(r);

	REQUIRE(!s->ended);
	/* mutant: replay_of_subscription, replays_walked */
	replay_drop(sub);
	r->cursor = retain_cursor_new(s->worker->shared->retain, subscription_filter(sub), until);
	r->until = until;
	r->recorded = needs_record(s, sub);
	r->sub = sub;
	sub->replay = r;
	charge(s, r, memory_of(r));
	DL_APPEND(s->replays, r);
}

/* The same subscription again: what it gave so far is given again. [MQTT5-3.8.4-4] */
void replay_start(struct session *s, struct subscription *sub, uint64_t until)
{
	struct worker *w = s->worker;
	struct slice filter = subscription_filter(sub);

	REQUIRE_OWNER(s);
	REQUIRE(sub->session == s && !subscription_is_shared(sub));
	/* A filter that is one topic is mostly one without a value: then there is nothing to begin.
	 */
	if (!topic_has_wildcard(filter) &&
	    !retain_has(w->shared->retain, w->executor.index, filter, until)) {
		replay_end(sub);
		return;
	}
	if (!needs_record(s, sub))
		replay_end(sub);
	start(s, sub, until);
	wake(s);
}

/* [MQTT5-3.8.4-4] */
void replay_go_on(struct session *s, struct subscription *sub)
{
	struct replay *r = sub->replay;
	bool recorded = needs_record(s, sub);

	REQUIRE_OWNER(s);
	if (r == NULL)
		return;
	REQUIRE(r->sub == sub);
	forget_group(r);
	if (r->recorded && !recorded)
		session_journal_replay_done(s, sub->number);
	r->recorded = recorded;
	wake(s);
}

void replay_record(const struct subscription *sub)
{
	if (sub->replay != NULL && sub->replay->recorded)
		session_journal_replay(sub, sub->replay->until);
}

void replay_drop(struct subscription *sub)
{
	if (sub->replay != NULL)
		replay_free(sub->session, sub->replay);
}

void replay_end(struct subscription *sub)
{
	if (sub->replay != NULL && sub->replay->recorded)
		session_journal_replay_done(sub->session, sub->number);
	replay_drop(sub);
}

bool replay_restore(struct session *s, struct subscription *sub, uint64_t until)
{
	if (!needs_record(s, sub)) /* it was, before it was subscribed again */
		return false;
	start(s, sub, until);
	return true;
}

void replays_page_out(struct session *s)
{
	struct replay *r, *next;

	REQUIRE_OWNER(s);
	DL_FOREACH_SAFE (s->replays, r, next) {
		size_t count = r->value_count - r->given;

		if (r->sub == NULL) {
			/* Where something after it is in memory too, so must it be. */
			if (!disk_queue_leave_rest(s, r->position, count, r->bytes))
				give_slice(s, r, count);
			replay_free(s, r);
		} else if (may_gather_again(r) && r->value_count > 0) {
			gather_again(s, r);
		}
	}
}

void replays_free(struct session *s)
{
	while (s->replays != NULL)
		replay_free(s, s->replays);
}
