/* A batch for each worker, made with the first message to it in a turn. */
#include "routing/batch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "routing/flow.h"
#include "routing/router.h"
#include "worker/shared.h"
#include "worker/worker.h"

struct batch *batch_to(struct worker *w, unsigned executor, task_fn *run)
{
	struct batch *b = w->router->outbox[executor];

	REQUIRE_EXECUTOR(&w->executor);
	if (b != NULL)
		return b;
	b = xnew(b);
	b->task.run = run;
	b->from = w;
	b->to = w->shared->workers[executor];
	if (b->from == b->to)
		w->router->own_begun++;
	w->router->outbox[executor] = b;
	return b;
}

struct batch_item *batch_add(struct batch *b, enum item_kind kind, struct msg *msg)
{
	struct batch_item *item;

	REQUIRE_EXECUTOR(&b->from->executor);
	array_reserve(b->items, b->item_cap, b->item_count + 1);
	item = &b->items[b->item_count++];
	*item = (struct batch_item){.kind = kind, .msg = msg_ref(msg)};
	b->bytes += msg_bytes(msg);
	return item;
}

void batch_add_id(struct batch *b, uint64_t filter_id)
{
	array_reserve(b->ids, b->id_cap, b->id_count + 1);
	b->ids[b->id_count++] = filter_id;
	b->bytes += sizeof(filter_id);
}

void batch_add_target(struct batch *b, const struct target_item *item)
{
	array_reserve(b->targets, b->target_cap, b->target_count + 1);
	b->targets[b->target_count] = *item;
	b->targets[b->target_count++].ids = subscription_ids_ref(&item->ids);
	b->bytes += sizeof(*item);
}

void batch_done(struct batch *b)
{
	struct router *sender = b->from->router;

	REQUIRE_EXECUTOR(&b->to->executor);
	if (b->from == b->to) {
		REQUIRE(sender->own_opened < sender->own_begun);
		sender->own_opened++;
	}
	flow_remove(&sender->flows.to[b->to->executor.index], b->bytes);
	free(b->items);
	free(b->ids);
	free(b->targets);
	free(b);
}

void batch_send_all(struct worker *w)
{
	REQUIRE_EXECUTOR(&w->executor);
	w->router->outbox_unstored = false;
	for (unsigned executor = 0; executor < w->shared->worker_count; executor++) {
		struct batch *b = w->router->outbox[executor];

		if (b == NULL)
			continue;
		w->router->outbox[executor] = NULL;
		flow_add(&w->router->flows.to[executor], b->bytes, b->from == b->to);
		executor_send(&b->to->executor, &b->task);
	}
}
