/* Records from home to home: batches of messages, built during a turn, sent at its end (or before a
 * topic's shard is let go).  The own executor gets its share at once, where the order permits.
 * Bytes in flight are counted per pair of executors: back-pressure.  DESIGN.md section 3. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/container.h"
#include "durability/record_batch.h"
#include "routing/flow.h"
#include "routing/router.h"
#include "tree/route_match.h"
#include "tree/route_share.h"
#include "tree/target_set.h"
#include "worker/shared.h"

struct batch_item {
	enum item_kind kind;
	uint32_t first, count; /* ITEM_LIVE: of ids; others: first of targets */
	struct msg *msg;
};

struct batch {
	struct task task;
	struct worker *from, *to;
	size_t bytes;
	struct batch_item *items;
	uint64_t *ids;
	struct target_item *targets;
	size_t item_count, item_cap, id_count, id_cap, target_count, target_cap;
};

/* --- at the receiver --- */

static void batch_free(struct batch *p)
{
	free(p->items);
	free(p->ids);
	free(p->targets);
	free(p);
}

static void account_arrival(struct batch *p)
{
	struct router *sender = p->from->router;

	if (p->from == p->to)
		sender->own_in_flight--;
	flow_remove(&sender->flows.to[p->to->executor.index], p->bytes);
}

static void open_item(struct worker *w, const struct batch *p, struct batch_item *item)
{
	if (item->kind == ITEM_LIVE) {
		deliver_live(w, item->msg, p->ids + item->first, item->count);
	} else {
		deliver_target(w, item->msg, &p->targets[item->first]);
		subscription_ids_fini(&p->targets[item->first].ids);
	}
	msg_unref(&item->msg);
}

static void on_batch(struct task *task, void *executor_arg)
{
	struct batch *p = container_of(task, struct batch, task);
	struct worker *w = executor_arg;

	for (size_t i = 0; i < p->item_count; i++)
		open_item(w, p, &p->items[i]);
	account_arrival(p);
	batch_free(p);
}

/* --- at the sender --- */

static struct batch *batch_to(struct worker *w, unsigned executor)
{
	struct batch *p = w->router->outbox[executor];

	if (p != NULL)
		return p;
	p = xnew(p);
	p->task.run = on_batch;
	p->from = w;
	p->to = w->shared->workers[executor];
	if (p->from == p->to)
		w->router->own_in_flight++;
	w->router->outbox[executor] = p;
	return p;
}

static struct batch_item *batch_add(struct batch *p, enum item_kind kind, struct msg *msg)
{
	struct batch_item *item;

	array_reserve(p->items, p->item_cap, p->item_count + 1);
	item = &p->items[p->item_count++];
	*item = (struct batch_item){.kind = kind, .msg = msg_ref(msg)};
	p->bytes += msg_bytes(msg);
	return item;
}

static bool goes_directly(const struct worker *w, unsigned executor, bool through_mailbox)
{
	return executor == w->executor.index && !through_mailbox && w->router->own_in_flight == 0;
}

static void live_to_own(struct worker *w, struct msg *msg, const struct route_match *match)
{
	uint64_t bit = (uint64_t)1 << w->executor.index;
	size_t count = 0;

	for (size_t i = 0; i < match->filter_count; i++) {
		if ((match->filters[i].executors & bit) == 0)
			continue;
		array_reserve(w->router->ids, w->router->id_cap, count + 1);
		w->router->ids[count++] = match->filters[i].filter_id;
	}
	deliver_live(w, msg, w->router->ids, count);
}

static void live_to_worker(struct worker *w, struct msg *msg, const struct route_match *match,
                           unsigned executor)
{
	struct batch *p = batch_to(w, executor);
	struct batch_item *item = batch_add(p, ITEM_LIVE, msg);
	uint64_t bit = (uint64_t)1 << executor;

	item->first = (uint32_t)p->id_count;
	for (size_t i = 0; i < match->filter_count; i++) {
		if ((match->filters[i].executors & bit) == 0)
			continue;
		array_reserve(p->ids, p->id_cap, p->id_count + 1);
		p->ids[p->id_count++] = match->filters[i].filter_id;
	}
	item->count = (uint32_t)p->id_count - item->first;
}

void dispatch_live(struct worker *w, struct msg *msg, const struct route_match *match,
                   bool through_mailbox)
{
	for (uint64_t executors = match->executors; executors != 0; executors &= executors - 1) {
		unsigned executor = (unsigned)__builtin_ctzll(executors);

		if (!goes_directly(w, executor, through_mailbox))
			live_to_worker(w, msg, match, executor);
	}
	/* Last: delivering at home may use the match again. */
	if ((match->executors >> w->executor.index & 1) != 0 &&
	    goes_directly(w, w->executor.index, through_mailbox))
		live_to_own(w, msg, match);
}

void dispatch_target(struct worker *w, struct msg *msg, const struct target_item *item,
                     bool through_mailbox)
{
	struct batch *p;
	struct batch_item *entry;

	if (goes_directly(w, item->executor, through_mailbox)) {
		/* mutant: shared_twice */
		deliver_target(w, msg, item);
		return;
	}
	p = batch_to(w, item->executor);
	entry = batch_add(p, item->group_id == 0 ? ITEM_TARGET : ITEM_SHARE, msg);
	array_reserve(p->targets, p->target_cap, p->target_count + 1);
	entry->first = (uint32_t)p->target_count;
	p->targets[p->target_count] = *item;
	p->targets[p->target_count++].ids = subscription_ids_ref(&item->ids);
}

void dispatch_flush(struct worker *w)
{
	w->router->outbox_kept = false;
	for (unsigned executor = 0; executor < w->shared->worker_count; executor++) {
		struct batch *p = w->router->outbox[executor];

		if (p == NULL)
			continue;
		w->router->outbox[executor] = NULL;
		flow_add(&w->router->flows.to[executor], p->bytes, p->from == p->to);
		executor_send(&p->to->executor, &p->task);
	}
}

bool dispatch_share_has_online(struct worker *w, uint64_t group_id, uint64_t but)
{
	struct route_target next;

	return route_share_pick(w->shared->route, w->executor.index, group_id, &but, 1, &next) &&
	       next.online;
}

/* Nobody of the group takes it: it is lost to the group, and that is told. */
static void lost_to_group(struct worker *w)
{
	uint32_t suppressed;

	count(&w->counters.messages_dropped);
	if (log_limit_pass(&w->router->share_limit, w->executor.now_ms + 1, 10000, 1, &suppressed))
		LOG(MESSAGE_DROPPED, .client_id = SLICE_EMPTY, .user = SLICE_EMPTY,
		    .cause = "no member of the shared subscription may receive it or has space",
		    .dropped = suppressed + 1);
}

/* Another durable member's queue: from one to the other in one group. D1 */
static void move_kept(struct worker *w, struct msg *msg, const struct target_item *from,
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

static bool is_to_keep(const struct worker *w, const struct target_item *item,
                       const struct msg *msg)
{
	return item->durable && item->qos > 0 && msg->qos > 0 && journal_is_on(w) &&
	       topic_durability(w, msg_topic(msg)) == DURABILITY_ACK;
}

/* The next member is asked; after RECORD_TRIED_MAX of them the message is given up. */
void dispatch_next_member(struct worker *w, struct msg *msg, struct target_item *item,
                          uint64_t tried)
{
	struct route_target next;
	struct target_item again = *item;
	bool found;

	if (msg_is_expired(msg, w->executor.now_ms)) { /* [MQTT5-3.3.2-5] */
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
	if (is_to_keep(w, &again, msg)) {
		move_kept(w, msg, item, &again);
		return;
	}
	record_queue_done(w, item->session_id, item->position);
	dispatch_target(w, msg, &again, true);
}
