/* Messages from one worker to another: built during a turn, sent at its end (or before a topic's
 * shard is released).  Bytes on their way are counted for each pair of workers (flow.h).  Thread:
 * the sender's, until it is sent. */
#ifndef ROUTING_BATCH_H
#define ROUTING_BATCH_H

#include "durability/delivery_target.h"
#include "routing/router.h"
#include "tree/msg.h"

enum item_kind {
	ITEM_LIVE,   /* every live subscriber of these filters */
	ITEM_TARGET, /* one session */
	ITEM_SHARE,  /* one member of a group */
};

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

/* The batch that is being built for this worker; `run` opens it there. */
struct batch *batch_to(struct worker *w, unsigned executor, task_fn *run);
/* Takes its own reference of msg. */
struct batch_item *batch_add(struct batch *b, enum item_kind kind, struct msg *msg);
void batch_add_id(struct batch *b, uint64_t filter_id);
void batch_add_target(struct batch *b, const struct target_item *item);
/* It has arrived and was opened. */
void batch_done(struct batch *b);
/* Send all that were begun. */
void batch_send_all(struct worker *w);

#endif
