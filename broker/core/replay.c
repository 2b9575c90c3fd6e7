/* Retained values for a new subscription: in slices, a cursor per subscription, never more than the
 * client takes.  A value is given only while the one who wrote it could still write it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/admission.h"
#include "core/keep.h"
#include "core/server.h"
#include "core/sys.h"
#include "proto/topic.h"

#define SLICE_VALUES 256
/* What a cursor costs at least, in values: its steps cost time where it finds nothing too. */
#define CURSOR_VALUES 16
#define SLICE_BYTES   (CONN_BACKLOG_MAX / 4) /* two of them stay below what a backlog may be */
#define WAITING_MAX   64

struct slice_of_values {
	struct worker *worker;
	struct msg *messages[SLICE_VALUES];
	size_t count;
	size_t bytes;
};

/* --- may the writer still write it? --- */

/* Removed and locked users write nothing; a namesake made later is somebody else. */
static bool writer_exists(const struct policy *policy, const struct origin *origin)
{
	const struct user *entry;

	if (origin->anonymous || policy->conf->password_file == NULL)
		return true;
	entry = users_find(policy->users, origin->user_name);
	return entry != NULL && !entry->locked && policy_owner_exists(policy, origin->user_key);
}

static const struct acl_subject *writer_subject(struct worker *w, struct origin *origin)
{
	if (w->writer_origin == origin && w->writer_generation == w->policy->generation)
		return w->writer_subject;
	acl_subject_free(w->writer_subject);
	origin_unref(&w->writer_origin);
	w->writer_subject = !writer_exists(w->policy, origin)
	                        ? NULL
	                        : policy_subject(w->policy, origin->anonymous, origin->user_name,
	                                         origin->client_id);
	w->writer_origin = origin_ref(origin);
	w->writer_generation = w->policy->generation;
	return w->writer_subject;
}

static bool writer_permitted(struct worker *w, const struct msg *msg)
{
	struct acl_request request = publish_request(ACL_PUBLISH, msg);
	const struct acl_subject *subject;

	if (sys_wrote(msg))
		return true;
	subject = writer_subject(w, msg->origin);
	if (subject == NULL)
		return false;
	if (acl_check(subject, &request).allowed)
		return true;
	request.action = ACL_WILL; /* it may have been a will */
	return acl_check(subject, &request).allowed;
}

/* Under the tree's lock: collect only. The answer about the writer is kept with the value for each
 * policy. */
static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct slice_of_values *slice = arg;
	uint32_t generation = (uint32_t)slice->worker->policy->generation;

	if (atomic_load_explicit(writer_generation, memory_order_relaxed) != generation) {
		if (!writer_permitted(slice->worker, msg))
			return true;
		atomic_store_explicit(writer_generation, generation, memory_order_relaxed);
	}
	slice->messages[slice->count++] = msg_ref(msg);
	slice->bytes += msg_bytes(msg);
	return slice->count < SLICE_VALUES && slice->bytes < SLICE_BYTES;
}

/* --- slices --- */

static void replay_free(struct session *s, struct replay *r)
{
	DL_DELETE(s->replays, r);
	retain_cursor_free(&r->cursor);
	for (size_t i = 0; i < r->value_count; i++)
		msg_unref(&r->values[i]);
	free(r->values);
	free(r);
}

static void gather(struct replay *r, struct msg *msg)
{
	if (r->value_count == r->value_cap) {
		r->value_cap = r->value_cap == 0 ? 64 : r->value_cap * 2;
		r->values = xrealloc_array(r->values, r->value_cap, sizeof(struct msg *));
	}
	r->values[r->value_count++] = msg_ref(msg);
}

/* [MQTT3-3.3.1-8] */
static struct delivery delivery_of(const struct replay *r)
{
	return (struct delivery){.qos = r->qos,
	                         .retain = true,
	                         .paced = true,
	                         .ids = {.one = r->subscription_id}}; /* [MQTT3-3.3.1-8] */
}

/* What was gathered enters the queue on disk all together, and with it the replay is no more: after
 * a crash either all of it is given, or none was. D2, D5 */
static void finish_kept(struct session *s, struct replay *r)
{
	struct record done = {
	    .kind = RECORD_REPLAY_DONE, .session_id = s->id, .number = r->kept_number};
	struct target_item item = {.session_id = s->id,
	                           .qos = r->qos,
	                           .retain_as_published = true,
	                           .ids = {.one = r->subscription_id}};
	struct journal_group *group = journal_group_new(NULL, NULL);
	struct delivery d = delivery_of(r);

	for (size_t i = 0; i < r->value_count; i++)
		keep_add_queue(s->worker, group, &item, r->values[i], false);
	journal_group_add(group, &done);
	keep_append(s->worker, &group, JOURNAL_NEXT, &d.position);
	for (size_t i = 0; i < r->value_count; i++) {
		session_deliver(s, r->values[i], &d);
		d.position++;
	}
}

static bool may_go_on(const struct session *s)
{
	return s->conn != NULL && s->conn->holding == 0 && s->waiting.count < WAITING_MAX &&
	       admission_holds(s->conn) && conn_backlog(s->conn) < CONN_BACKLOG_MAX / 4;
}

/* At most `budget` values of the first cursor; what it cost. */
static size_t one_slice(struct session *s, size_t budget)
{
	struct worker *w = s->worker;
	struct replay *r = s->replays;
	struct slice_of_values slice = {.worker = w};
	struct delivery d = delivery_of(r);
	bool more =
	    retain_replay(r->cursor, w->home.index, w->home.now_ms, budget, on_value, &slice);

	w->fan_out = false;
	for (size_t i = 0; i < slice.count; i++) {
		if (r->kept_number != 0 && slice.messages[i]->qos > 0)
			gather(r, slice.messages[i]);
		else
			session_deliver(s, slice.messages[i], &d);
		msg_unref(&slice.messages[i]);
	}
	if (more)
		return budget;
	if (r->kept_number != 0)
		finish_kept(s, r);
	replay_free(s, r);
	return slice.count > CURSOR_VALUES ? slice.count : CURSOR_VALUES;
}

/* Several filters of one SUBSCRIBE share a turn where they have little to give. */
static void slices_of_turn(struct session *s)
{
	size_t left = SLICE_VALUES;

	while (left > 0 && s->replays != NULL && may_go_on(s)) {
		size_t cost = one_slice(s, left);

		left -= cost < left ? cost : left;
	}
}

bool replay_turn(struct worker *w)
{
	struct session *list = w->replaying;
	bool more = false;

	w->replaying = NULL;
	while (list != NULL) {
		struct session *s = list;

		list = s->replay_next;
		s->in_replay = false;
		slices_of_turn(s);
		replay_wake(s);
		more |= s->in_replay;
	}
	return more;
}

void replay_wake(struct session *s)
{
	struct worker *w = s->worker;

	if (s->in_replay || s->replays == NULL || !may_go_on(s))
		return;
	s->in_replay = true;
	s->replay_next = w->replaying;
	w->replaying = s;
}

/* A filter that is one topic is mostly one without a value: then there is nothing to begin. */
static bool gives_nothing(const struct worker *w, struct slice filter, uint64_t until)
{
	return !topic_has_wildcard(filter) &&
	       !retain_has(w->server->retain, w->home.index, filter, until);
}

/* The same subscription anew: what it gave so far is given again. Was there one that is kept? */
static bool drop_unfinished(struct session *s, const struct subscription *sub)
{
	struct replay *r, *next;
	bool dropped = false;

	DL_FOREACH_SAFE (s->replays, r, next) {
		if (r->kept_number != sub->number)
			continue;
		replay_free(s, r);
		dropped = true;
	}
	return dropped;
}

static bool is_to_be_kept(const struct session *s, const struct subscription *sub)
{
	return s->durable && sub->options.qos > 0 && keep_is_on(s->worker);
}

static void start(struct session *s, const struct subscription *sub, uint64_t until)
{
	struct replay *r = xnew(r);

	if (drop_unfinished(s, sub) && !is_to_be_kept(s, sub))
		keep_replay_done(s, sub->number);
	r->cursor = retain_cursor_new(s->worker->server->retain, subscription_filter(sub), until);
	r->subscription_id = sub->id;
	r->qos = sub->options.qos;
	if (is_to_be_kept(s, sub))
		r->kept_number = sub->number;
	DL_APPEND(s->replays, r);
}

void replay_start(struct session *s, const struct subscription *sub, uint64_t until)
{
	if (gives_nothing(s->worker, subscription_filter(sub), until))
		return;
	start(s, sub, until);
	if (s->replays->prev->kept_number != 0) /* the one just appended */
		keep_replay(sub, until);
	replay_wake(s);
}

bool replay_restore(struct session *s, const struct subscription *sub, uint64_t until)
{
	if (!is_to_be_kept(s, sub)) /* it was, before it was subscribed anew */
		return false;
	start(s, sub, until);
	return true;
}

void replays_free(struct session *s)
{
	if (s->in_replay) {
		struct session **at = &s->worker->replaying;

		while (*at != s)
			at = &(*at)->replay_next;
		*at = s->replay_next;
		s->in_replay = false;
	}
	while (s->replays != NULL)
		replay_free(s, s->replays);
}
