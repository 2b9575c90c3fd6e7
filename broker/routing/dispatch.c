/* The own worker gets its share directly while no batch to itself is on its way: else a message
 * would overtake. */
#include "routing/dispatch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/container.h"
#include "durability/durability.h"
#include "durability/record_batch.h"
#include "journal/notifications.h"
#include "routing/batch.h"
#include "routing/delivery_queue.h"
#include "routing/local_delivery.h"
#include "routing/router.h"
#include "routing/waiting_publisher.h"
#include "session/session.h"
#include "session/session_report.h"
#include "tree/route_share.h"
#include "worker/ordered_work.h"
#include "worker/shared.h"

/* Nobody of the group takes it: it is lost to the group, and that is logged. */
static void lost_to_group(struct worker *w)
{
	uint32_t suppressed;

	count_drop(&w->counters, DROP_NO_MEMBER);
	if (log_limit_pass(EVENT_MESSAGE_DROPPED, &w->router->share_limit, w->executor.now_ms + 1,
	                   10000, 1, &suppressed))
		LOG(MESSAGE_DROPPED, .client_id = SLICE_EMPTY, .user = SLICE_EMPTY,
		    .cause = "no member of the shared subscription may receive it or has space",
		    .dropped = suppressed + 1);
}

/* Another durable member's queue: from one to the other in one group. D1 */
static void move_recorded(struct worker *w, struct msg *msg, const struct target_item *from,
                          const struct target_item *to)
{
	struct record done = {
	    .kind = RECORD_QUEUE_DONE, .session_id = from->session_id, .number = from->position};
	struct journal_group *group = journal_group_new(NULL, NULL);

	if (from->position != 0)
		journal_group_add(group, &done);
	record_batch_queue(w, group, to, msg, true);
	record_batch_append(w, &group, JOURNAL_NOW, NULL);
}

static bool needs_record(const struct worker *w, const struct target_item *item,
                         const struct msg *msg)
{
	return item->durable && item->qos > 0 && msg->qos > 0 && durability_is_on(w) &&
	       durability_of_topic(w, msg_topic(msg)) == DURABILITY_ACK;
}

/* The next member is asked; after RECORD_TRIED_MAX of them the message is given up. */
void dispatch_next_member(struct worker *w, struct msg *msg, const struct target_item *item,
                          uint64_t tried)
{
	struct route_target next;
	struct target_item again = *item;
	bool found;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(item->group_id != 0);
	if (msg_is_expired(msg, w->executor.now_ms)) { /* [MQTT5-3.3.2-5] */
		count(&w->counters.messages_expired);
		record_queue_done(w, item->session_id, item->position);
		return;
	}
	if (again.tried_count < RECORD_TRIED_MAX)
		again.tried[again.tried_count++] = tried;
	found = again.tried_count < RECORD_TRIED_MAX &&
	        route_share_pick(w->shared->route, w->executor.index, item->group_id, again.tried,
	                         again.tried_count, &next);
	if (!found) {
		lost_to_group(w);
		record_queue_done(w, item->session_id, item->position);
		return;
	}
	again.session_id = next.session_id;
	again.position = 0;
	again.stored = false;
	again.executor = next.executor;
	again.qos = next.options.qos;
	again.retain_as_published = next.options.retain_as_published;
	again.durable = next.durable;
	again.ids = (struct subscription_ids){.one = next.subscription_id};
	if (needs_record(w, &again, msg)) {
		move_recorded(w, msg, item, &again);
		return;
	}
	record_queue_done(w, item->session_id, item->position);
	dispatch_target(w, msg, &again, true);
}

/* Here: the member of a group, or another one where it does not take the message. */
static void give_to_target(struct worker *w, struct msg *msg, const struct target_item *item)
{
	if (!local_delivery_target(w, msg, item) && item->group_id != 0)
		dispatch_next_member(w, msg, item, item->session_id);
}

/* --- by position --- */

/* A message for sessions whose queues have it, ahead of the disk (durability: interval). */
struct positioned {
	struct ordered_work work;
	struct waiting_publisher from;
	struct msg *msg;
	struct target_item *targets;
	size_t count, cap, given;
};

static void free_positioned(struct worker *w, struct positioned *p)
{
	waiting_publisher_end(w, &p->from);
	for (size_t i = 0; i < p->count; i++)
		subscription_ids_fini(&p->targets[i].ids);
	free(p->targets);
	msg_unref(&p->msg);
	free(p);
}

static void drop_positioned(struct worker *w, struct ordered_work *work)
{
	struct positioned *p = container_of(work, struct positioned, work);

	p->from.worker = NULL; /* nobody reads any more */
	free_positioned(w, p);
}

static bool go_on_positioned(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct positioned *p = container_of(work, struct positioned, work);

	for (; p->given < p->count; p->given++) {
		if (w->work >= until)
			return false;
		give_to_target(w, p->msg, &p->targets[p->given]);
	}
	free_positioned(w, p);
	return true;
}

static void add_positioned(struct worker *w, struct msg *msg, const struct target_item *item,
                           struct worker *publisher)
{
	struct ordered_work *last = ordered_work_last(w, ORDERED_POSITIONS);
	struct positioned *p = NULL;

	if (last != NULL && last->go_on == go_on_positioned)
		p = container_of(last, struct positioned, work);
	if (p == NULL || p->msg != msg) {
		p = xnew(p);
		p->work.go_on = go_on_positioned;
		p->work.drop = drop_positioned;
		p->msg = msg_ref(msg);
		waiting_publisher_begin(w, &p->from, msg->origin);
		waiting_publisher_hold(w, &p->from, publisher);
		ordered_work_add(w, ORDERED_POSITIONS, &p->work);
	}
	if (p->count == p->cap) {
		array_reserve(p->targets, p->cap, p->count + 1);
		waiting_publisher_count(w, &p->from,
		                        sizeof(*p) + msg_bytes(msg) + p->cap * sizeof(*p->targets));
	}
	p->targets[p->count] = *item;
	p->targets[p->count++].ids = subscription_ids_ref(&item->ids);
}

/* One with a position is in the session's queue, whose order is that of positions. */
static void give_or_queue(struct worker *w, struct msg *msg, const struct target_item *item,
                          struct worker *publisher)
{
	if (item->position != 0 && ordered_work_waits(w, ORDERED_POSITIONS))
		add_positioned(w, msg, item, publisher);
	else if (item->position == 0 && delivery_queue_takes(w, msg))
		delivery_queue_add_target(w, msg, item, publisher);
	else
		give_to_target(w, msg, item);
}

/* --- batches --- */

static void on_batch(struct task *task, void *executor_arg)
{
	struct batch *b = container_of(task, struct batch, task);
	struct worker *w = executor_arg;

	for (size_t i = 0; i < b->item_count; i++) {
		struct batch_item *item = &b->items[i];

		if (item->kind == ITEM_LIVE) {
			struct live_delivery live = {.msg = item->msg,
			                             .filter_ids = b->ids + item->first,
			                             .filter_count = item->count};

			if (delivery_queue_takes(w, item->msg) ||
			    !local_delivery_live(w, &live, delivery_queue_until(w)))
				delivery_queue_add_live(w, &live, b->from);
		} else {
			give_or_queue(w, item->msg, &b->targets[item->first], b->from);
			subscription_ids_fini(&b->targets[item->first].ids);
		}
		msg_unref(&item->msg);
	}
	batch_done(b);
}

/* Something that this publisher, or one that is not known, has published before is in our own
 * mailbox. What others have there does not hold it up: very many wills would. */
static bool waits_in_mailbox(struct worker *w, const struct msg *msg)
{
	const struct router *r = w->router;
	const struct session *s;

	if (r->own_opened == r->own_begun)
		return false;
	s = session_find_by_id(w, msg->origin->session_id);
	/* mutant: mailbox_is_overtaken */
	return s == NULL || s->own_batch > r->own_opened;
}

static void note_own_batch(struct worker *w, const struct msg *msg)
{
	struct session *s = session_find_by_id(w, msg->origin->session_id);

	if (s != NULL)
		s->own_batch = w->router->own_begun;
}

static void live_to_worker(struct worker *w, struct msg *msg, const struct route_match *match,
                           unsigned executor)
{
	struct batch *b = batch_to(w, executor, on_batch);
	struct batch_item *item = batch_add(b, ITEM_LIVE, msg);
	uint64_t bit = (uint64_t)1 << executor;

	if (executor == w->executor.index)
		note_own_batch(w, msg);
	item->first = (uint32_t)b->id_count;
	for (size_t i = 0; i < match->filter_count; i++) {
		if ((match->filters[i].executors & bit) != 0)
			batch_add_id(b, match->filters[i].filter_id);
	}
	item->count = (uint32_t)b->id_count - item->first;
}

void dispatch_live(struct worker *w, struct msg *msg, const struct route_match *match,
                   bool through_mailbox)
{
	struct router *r = w->router;
	uint64_t own = (uint64_t)1 << w->executor.index, others = match->executors;
	struct live_delivery live = {.msg = msg};
	size_t count = 0;

	REQUIRE_EXECUTOR(&w->executor);
	if ((others & own) != 0 && !through_mailbox && !waits_in_mailbox(w, msg))
		others &= ~own;
	for (uint64_t left = others; left != 0; left &= left - 1)
		live_to_worker(w, msg, match, (unsigned)__builtin_ctzll(left));
	if (others == match->executors)
		return;
	array_reserve(r->ids, r->id_cap, match->filter_count);
	for (size_t i = 0; i < match->filter_count; i++) {
		if ((match->filters[i].executors & own) != 0)
			r->ids[count++] = match->filters[i].filter_id;
	}
	live.filter_ids = r->ids;
	live.filter_count = count;
	if (delivery_queue_takes(w, msg) || !local_delivery_live(w, &live, delivery_queue_until(w)))
		delivery_queue_add_live(w, &live, w);
}

/* Of one session the positions are in order, whoever published. */
static bool target_waits_in_mailbox(struct worker *w, const struct msg *msg,
                                    const struct target_item *item)
{
	if (item->position != 0)
		return w->router->own_opened < w->router->own_begun;
	return waits_in_mailbox(w, msg);
}

void dispatch_target(struct worker *w, struct msg *msg, const struct target_item *item,
                     bool through_mailbox)
{
	struct batch *b;
	struct batch_item *entry;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(item->executor < w->shared->worker_count);
	if (item->executor == w->executor.index && !through_mailbox &&
	    !target_waits_in_mailbox(w, msg, item)) {
		/* mutant: shared_twice */
		give_or_queue(w, msg, item, w);
		return;
	}
	b = batch_to(w, item->executor, on_batch);
	if (item->executor == w->executor.index)
		note_own_batch(w, msg);
	entry = batch_add(b, item->group_id == 0 ? ITEM_TARGET : ITEM_SHARE, msg);
	entry->first = (uint32_t)b->target_count;
	batch_add_target(b, item);
}

bool dispatch_waits(const struct worker *w)
{
	return w->router->queue->count > 0 || w->ordered[ORDERED_POSITIONS] != NULL ||
	       w->ordered[ORDERED_PUBLISHES] != NULL;
}

void dispatch_turn(struct worker *w)
{
	ordered_work_turn(w, ORDERED_PUBLISHES);
	ordered_work_turn(w, ORDERED_POSITIONS);
	(void)delivery_queue_turn(w, give_to_target);
}

void dispatch_flush(struct worker *w)
{
	ordered_work_flush(w, ORDERED_PUBLISHES);
	ordered_work_flush(w, ORDERED_POSITIONS);
	delivery_queue_flush(w, give_to_target);
	batch_send_all(w);
}

/* The queue on disk was full: the member's loss, or another member's turn. */
static void report_refused(struct worker *w, const struct record *record, struct target_item *item,
                           enum queue_outcome outcome)
{
	struct session *s = session_find_by_id(w, record->session_id);

	if (record->group_id != 0) {
		dispatch_next_member(w, record->msg, item, record->session_id);
		return;
	}
	if (s == NULL)
		return;
	/* The writer knows: asked again, there may be space meanwhile, or less. */
	session_report_drop(s, DROP_QUEUE_FULL,
	                    /* mutant: drop_names_its_limit */
	                    outcome == QUEUE_SHARE_FULL
	                        ? "limits.store_per_user is reached"
	                        : "the session's queue is full "
	                          "(limits.queue_messages, limits.queue_bytes)");
}

/* DESIGN.md section 5, point 10. D1 */
void dispatch_on_queued(void *executor_arg, const struct record *record, enum queue_outcome outcome)
{
	bool stored = outcome == QUEUE_STORED;
	struct worker *w = executor_arg;
	struct target_item item = {.session_id = record->session_id,
	                           .group_id = record->group_id,
	                           .position = stored ? record->number : 0,
	                           .stored = stored};
	struct delivery_record delivery;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(record->kind == RECORD_QUEUE);
	REQUIRE(record_read_delivery(record->value, &delivery)); /* we wrote it */
	w->work++;
	item.qos = delivery.qos;
	item.retain_as_published = delivery.retain;
	item.ids = delivery.ids;
	item.tried_count = delivery.tried_count;
	memcpy(item.tried, delivery.tried, sizeof(delivery.tried));
	if (stored)
		give_to_target(w, record->msg, &item);
	else
		report_refused(w, record, &item, outcome);
	subscription_ids_fini(&item.ids);
}

/* --- notifications --- */

/* Of a notification, besides what its delivery is: nobody has touched the session since the record
 * was made, and very many others may have been meanwhile. */
#define NOTIFIED_STEPS 24

struct notified {
	struct ordered_work work;
	struct notifications *notifications;
};

static void drop_notified(struct worker *w, struct ordered_work *work)
{
	struct notified *n = container_of(work, struct notified, work);

	(void)w;
	notifications_free(n->notifications);
	free(n);
}

static bool go_on_notified(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct notified *n = container_of(work, struct notified, work);

	/* mutant: notified_in_one_turn */
	while (w->work < until) {
		/* mutant: notified_costs_nothing */
		w->work += NOTIFIED_STEPS;
		if (!notifications_next(n->notifications, w)) {
			free(n);
			return true;
		}
	}
	return false;
}

void dispatch_on_notified(void *executor_arg, struct notifications *notifications)
{
	struct worker *w = executor_arg;
	struct notified *n = xnew(n);

	n->work.go_on = go_on_notified;
	n->work.drop = drop_notified;
	n->notifications = notifications;
	ordered_work_add(w, ORDERED_POSITIONS, &n->work);
}
