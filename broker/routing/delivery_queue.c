/* A queue for each publisher, and round robin among them. A retained change that follows another
 * publisher's change of the same topic is blocked until that one is delivered; as each waits only
 * for what came before it, somebody can always go on. */
#include "routing/delivery_queue.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/list.h"
#include "routing/waiting_publisher.h"

/* A delivery that waits: to filters, or to sessions by name. */
struct queued_delivery {
	struct queued_delivery *prev, *next; /* of its publisher */
	struct queued_delivery *successor;   /* the next change of its topic; NULL: none */
	bool is_blocked;                     /* by an earlier one */
	struct msg *msg;
	struct live_delivery live; /* where there are filters */
	struct target_item *targets;
	size_t target_count, target_cap, given;
	size_t bytes; /* counted in the memory of all clients */
};

struct publisher_queue {
	struct publisher_queue *prev, *next;
	struct waiting_publisher from;
	struct queued_delivery *deliveries; /* utlist DL */
	bool is_fresh;
};

void delivery_queue_init(struct worker *w)
{
	w->router->queue = xnew(w->router->queue);
}

/* --- who waits --- */

static struct publisher_queue *publisher_of(const struct delivery_queue *q, uint64_t session_id)
{
	void **place = table_find(&q->publishers, hash_id(session_id), NULL, NULL);

	return place == NULL ? NULL : *place;
}

static uint64_t topic_hash(const struct msg *msg)
{
	struct slice topic = msg_topic(msg);

	return hash_bytes(topic.data, topic.len);
}

static bool is_of_topic(const void *item, const void *key)
{
	return slice_equal(msg_topic(((const struct queued_delivery *)item)->msg), msg_topic(key));
}

bool delivery_queue_orders(const struct worker *w, const struct msg *msg)
{
	const struct delivery_queue *q = w->router->queue;

	/* mutant: fan_out_order */
	if (publisher_of(q, msg->origin->session_id) != NULL)
		return true;
	/* mutant: fan_out_retained_order */
	return msg->number != 0 &&
	       table_find(&q->topics, topic_hash(msg), is_of_topic, msg) != NULL;
}

/* The queue of a message's publisher, made where it was missing. */
static struct publisher_queue *enter_queue(struct worker *w, const struct msg *msg,
                                           struct worker *publisher)
{
	struct delivery_queue *q = w->router->queue;
	struct publisher_queue *p = publisher_of(q, msg->origin->session_id);

	if (p == NULL) {
		p = xnew(p);
		waiting_publisher_begin(w, &p->from, msg->origin);
		p->is_fresh = true;
		table_add(&q->publishers, hash_id(p->from.session_id), p);
		DL_APPEND(q->fresh, p);
	}
	waiting_publisher_hold(w, &p->from, publisher);
	return p;
}

/* What it takes may have changed. */
static void count_bytes(struct worker *w, struct publisher_queue *p, struct queued_delivery *d)
{
	size_t bytes = sizeof(*d) + msg_bytes(d->msg) + local_delivery_bytes(&d->live) +
	               d->target_cap * sizeof(*d->targets);

	waiting_publisher_count(w, &p->from, p->from.charge.bytes - d->bytes + bytes);
	d->bytes = bytes;
}

static struct queued_delivery *add(struct worker *w, struct publisher_queue *p, struct msg *msg)
{
	struct delivery_queue *q = w->router->queue;
	struct queued_delivery *d = xnew(d), *before;
	void **place;

	d->msg = msg_ref(msg);
	/* the analyzer does not know that the first of a list has a last
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	DL_APPEND(p->deliveries, d);
	q->count++;
	if (msg->number == 0)
		return d;
	place = table_find(&q->topics, topic_hash(msg), is_of_topic, msg);
	if (place == NULL) {
		table_add(&q->topics, topic_hash(msg), d);
		return d;
	}
	before = *place;
	REQUIRE(before->successor == NULL);
	before->successor = d;
	d->is_blocked = true;
	*place = d;
	return d;
}

void delivery_queue_add_live(struct worker *w, struct live_delivery *d, struct worker *publisher)
{
	struct publisher_queue *p = enter_queue(w, d->msg, publisher);
	struct queued_delivery *queued = add(w, p, d->msg);
	size_t bytes = d->filter_count * sizeof(*d->filter_ids);
	uint64_t *ids = xalloc(bytes);

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(d->filter_count > 0);
	memcpy(ids, d->filter_ids, bytes);
	queued->live = *d;
	queued->live.filter_ids = ids;
	if (d->has_begun) /* the cursor is in a list */
		subscription_rest(w, &queued->live.cursor, subscription_resume(w, &d->cursor));
	count_bytes(w, p, queued);
}

void delivery_queue_add_target(struct worker *w, struct msg *msg, const struct target_item *item,
                               struct worker *publisher)
{
	struct publisher_queue *p = enter_queue(w, msg, publisher);
	struct queued_delivery *queued = p->deliveries == NULL ? NULL : p->deliveries->prev;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(item->position == 0);
	if (queued == NULL || queued->msg != msg || queued->live.filter_count > 0)
		queued = add(w, p, msg);
	array_reserve(queued->targets, queued->target_cap, queued->target_count + 1);
	queued->targets[queued->target_count] = *item;
	queued->targets[queued->target_count++].ids = subscription_ids_ref(&item->ids);
	count_bytes(w, p, queued);
}

/* --- a turn --- */

/* True: it is complete. */
static bool go_on(struct worker *w, struct queued_delivery *d, uint64_t until,
                  delivery_queue_give_fn *give)
{
	if (d->live.filter_count > 0)
		return local_delivery_live(w, &d->live, until);
	for (; d->given < d->target_count; d->given++) {
		if (w->work >= until)
			return false;
		give(w, d->msg, &d->targets[d->given]);
	}
	return true;
}

/* Done, or dropped. */
static void remove_first(struct worker *w, struct publisher_queue *p)
{
	struct delivery_queue *q = w->router->queue;
	struct queued_delivery *d = p->deliveries;

	REQUIRE(!d->is_blocked);
	DL_DELETE(p->deliveries, d);
	if (d->successor != NULL)
		d->successor->is_blocked = false;
	else if (d->msg->number != 0)
		table_remove(&q->topics, topic_hash(d->msg), d);
	q->count--;
	waiting_publisher_count(w, &p->from, p->from.charge.bytes - d->bytes);
	local_delivery_forget(w, &d->live);
	free((void *)(uintptr_t)d->live.filter_ids);
	for (size_t i = 0; i < d->target_count; i++)
		subscription_ids_fini(&d->targets[i].ids);
	free(d->targets);
	msg_unref(&d->msg);
	free(d);
}

static void leave_queue(struct worker *w, struct publisher_queue *p)
{
	struct delivery_queue *q = w->router->queue;

	REQUIRE(p->deliveries == NULL);
	table_remove(&q->publishers, hash_id(p->from.session_id), p);
	if (p->is_fresh)
		DL_DELETE(q->fresh, p);
	else
		/* as in add: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		DL_DELETE(q->waiting, p);
	waiting_publisher_end(w, &p->from);
	free(p);
}

/* Until its part of the turn is used, or nothing of it can go on. */
static void publisher_turn(struct worker *w, struct publisher_queue *p, uint64_t until,
                           delivery_queue_give_fn *give)
{
	while (p->deliveries != NULL && !p->deliveries->is_blocked && w->work < until) {
		if (!go_on(w, p->deliveries, until, give)) {
			count_bytes(w, p, p->deliveries);
			return;
		}
		remove_first(w, p);
	}
	if (p->deliveries == NULL)
		leave_queue(w, p);
}

/* Behind those that wait for their next turn. */
static void rotate(struct delivery_queue *q, struct publisher_queue *p)
{
	REQUIRE(p != NULL); /* there are as many in the two lists as in the table */
	/* the analyzer does not know that who is freed has left the list
	 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	if (p->is_fresh)
		DL_DELETE(q->fresh, p);
	else
		DL_DELETE(q->waiting, p);
	p->is_fresh = false;
	DL_APPEND(q->waiting, p);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
}

/* About a quarter of a millisecond, and half of it for those who have waited longer. */
#define SLICE_STEPS(w) ((w)->turn_steps / 32 + 1)
/* Of one who is new: whoever has a message for few is through with it, though some with large ones
 * came before it in the same turn. */
#define FRESH_STEPS(w) ((w)->turn_steps / 128 + 1)

static void run_all(struct worker *w, uint64_t until, delivery_queue_give_fn *give)
{
	struct delivery_queue *q = w->router->queue;
	uint32_t left = q->publishers.count;

	while (left-- > 0 && w->work < until) {
		struct publisher_queue *p = q->waiting;

		rotate(q, p);
		publisher_turn(w, p, until, give);
	}
}

bool delivery_queue_turn(struct worker *w, delivery_queue_give_fn *give)
{
	struct delivery_queue *q = w->router->queue;
	uint64_t until = w->work + SLICE_STEPS(w);
	struct publisher_queue *p;

	REQUIRE_EXECUTOR(&w->executor);
	while ((p = q->fresh) != NULL) {
		rotate(q, p);
		/* mutant: one_new_publisher_takes_all */
		if (w->work < until)
			publisher_turn(w, p, w->work + FRESH_STEPS(w), give);
	}
	run_all(w, w->work + SLICE_STEPS(w), give);
	return q->count > 0;
}

void delivery_queue_flush(struct worker *w, delivery_queue_give_fn *give)
{
	const struct delivery_queue *q = w->router->queue;

	while (q->count > 0) {
		while (q->fresh != NULL)
			rotate(w->router->queue, q->fresh);
		run_all(w, UINT64_MAX, give);
	}
}

void delivery_queue_fini(struct worker *w)
{
	struct delivery_queue *q = w->router->queue;

	while (q->publishers.count > 0) {
		struct publisher_queue *p = q->fresh != NULL ? q->fresh : q->waiting;

		REQUIRE(p != NULL);
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the same */
		rotate(q, p);
		p->from.worker = NULL; /* nobody reads any more */
		while (p->deliveries != NULL && !p->deliveries->is_blocked)
			remove_first(w, p);
		if (p->deliveries == NULL)
			leave_queue(w, p);
	}
	table_fini(&q->publishers);
	table_fini(&q->topics);
	free(q);
	w->router->queue = NULL;
}
