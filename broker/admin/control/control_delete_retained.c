/* Retained messages are deleted as their writers delete them: published, with no payload.  Each may
 * have to be matched with very many filters, so that they are published one after the other in
 * slices of the worker's turns (ordered_work.h), some of each slice of the query. */
#include <stdlib.h>

#include "admin/control/control_retained.h"
#include "admin/sys_topics.h"
#include "auth/identity.h"
#include "base/alloc.h"
#include "base/container.h"
#include "base/log.h"
#include "routing/publish_job.h"
#include "routing/publish_route.h"
#include "tree/retain_cursor.h"
#include "worker/ordered_work.h"

#define VALUES_AT_ONCE 32
/* While they are published the query looks so often whether they are. */
#define LOOK_AGAIN_MS 1

struct deletion {
	struct ordered_work work;
	struct msg *values[VALUES_AT_ONCE]; /* references */
	bool deleted[VALUES_AT_ONCE];
	size_t value_count;
	size_t published;
	struct msg *msg; /* what deletes the one that is being published */
	uint64_t count;  /* of all that were deleted */
	bool is_publishing;
	bool is_left; /* the query has gone: free it when all are published */
};

static void forget_values(struct deletion *d)
{
	for (size_t i = 0; i < d->value_count; i++)
		msg_unref(&d->values[i]);
	d->value_count = d->published = 0;
}

static void free_deletion(struct deletion *d)
{
	forget_values(d);
	free(d);
}

static void leave_deletion(void *state)
{
	struct deletion *d = state;

	if (d->is_publishing)
		d->is_left = true;
	else
		free_deletion(d);
}

/* Under the tree's lock: collect only. */
static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct deletion *d = arg;

	(void)writer_generation;
	d->values[d->value_count++] = msg_ref(msg);
	return d->value_count < VALUES_AT_ONCE;
}

/* Those who get a change of this topic get this one, with the same QoS. It is no answer to one of
 * the writer's sessions, so that none is left out (No Local). */
static struct msg *deleting(const struct msg *value)
{
	const struct origin *writer = value->origin;
	struct origin *origin = origin_new(writer->anonymous, 0, writer->user_key,
	                                   writer->user_name, writer->client_id);
	struct msg_parts parts = {
	    .qos = value->qos, .retain = true, .expires_ms = MSG_NEVER, .topic = msg_topic(value)};
	struct msg *msg = msg_new(origin, &parts);

	origin_unref(&origin);
	return msg;
}

/* False: the rest of it is for a later turn. */
static bool publish_one(struct worker *w, struct deletion *d, uint64_t until)
{
	const struct msg *value = d->values[d->published];
	struct publish_job job = {.action = ACL_PUBLISH, .verdict = {.allowed = true}};
	enum publish_outcome outcome = PUBLISH_DENIED;

	if (!msg_is_of_broker(value)) {
		if (d->msg == NULL)
			d->msg = deleting(value);
		job.msg = d->msg;
		if (!publish_route_slices(w, &job, until, &outcome))
			return false;
		msg_unref(&d->msg);
	}
	d->deleted[d->published++] = outcome == PUBLISH_ROUTED;
	return true;
}

static bool go_on_publishing(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct deletion *d = container_of(work, struct deletion, work);

	while (d->published < d->value_count) {
		/* mutant: deletions_in_one_turn */
		if (w->work >= until)
			return false;
		if (!publish_one(w, d, until))
			return false;
	}
	d->is_publishing = false;
	if (d->is_left)
		free_deletion(d);
	return true;
}

static void drop_publishing(struct worker *w, struct ordered_work *work)
{
	struct deletion *d = container_of(work, struct deletion, work);

	(void)w;
	if (d->msg != NULL)
		msg_unref(&d->msg);
	d->is_publishing = false;
	if (d->is_left)
		free_deletion(d);
}

static bool begin_deletion(struct control_query *q)
{
	struct deletion *d;

	if (!control_retained_begin(q))
		return false;
	d = xnew(d);
	d->work.go_on = go_on_publishing;
	d->work.drop = drop_publishing;
	q->state = d;
	q->free_state = leave_deletion;
	q->state_stays = true;
	return true;
}

static void put_deleted(struct control_query *q, struct deletion *d)
{
	for (size_t i = 0; i < d->value_count; i++) {
		if (!d->deleted[i])
			continue;
		d->count++;
		json_open(&q->out);
		json_text(&q->out, "topic", msg_topic(d->values[i]));
		control_retained_put_writer(&q->out, d->values[i]);
		json_close(&q->out);
	}
	forget_values(d);
}

/* True: there may be more. */
static bool publish_some(struct control_query *q, struct deletion *d)
{
	const struct executor *executor = &q->worker->executor;
	bool more = retain_cursor_visit(q->cursor, executor->index, executor->now_ms,
	                                VALUES_AT_ONCE, on_value, d);

	if (d->value_count == 0)
		return more;
	d->is_publishing = true;
	ordered_work_add(q->worker, ORDERED_PUBLISHES, &d->work);
	return true;
}

bool control_retained_delete(struct control_query *q)
{
	struct deletion *d;

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (q->cursor == NULL && !begin_deletion(q))
		return false;
	d = q->state;
	if (!d->is_publishing) {
		put_deleted(q, d);
		if (!publish_some(q, d)) {
			if (d->count == 0)
				q->error = "no retained message of a client matches; 'retained' "
					   "lists them";
			else
				LOG(RETAINED_DELETED, .filter = json_text_of(&q->request, "filter"),
				    .count = d->count);
			q->commits = true;
			return false;
		}
	}
	q->again_ms = d->is_publishing ? LOOK_AGAIN_MS : 0;
	return true;
}
