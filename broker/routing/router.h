/* What routing has of a worker: scratch of a publish, batches that are being built, pressure.
 * Thread: the worker's. */
#ifndef ROUTING_ROUTER_H
#define ROUTING_ROUTER_H

#include "routing/flow.h"
#include "routing/publish_match.h"
#include "session/delivery_context.h"

struct batch;
struct delivery_queue;
struct merge;

/* Sessions that several filters of a message name (local_delivery.c). */
struct merges {
	struct merge *items;
	size_t count, cap;
	/* Of the message at hand: sessions remember by it that they stand here. */
	uint64_t serial;
};

/* Memory that is used again for each message; who uses it is handed it. */
struct router {
	struct publish_match match;
	struct resting_publish own; /* the first of ORDERED_PUBLISHES */
	struct merges merges;
	uint64_t merge_serial; /* of the newest merges, these or others */
	struct fan_out fan_out;
	uint64_t *ids; /* batch.c: filter ids of one executor */
	size_t id_cap;
	struct batch **outbox; /* one per executor: built during the turn */
	/* Batches of ours for our own mailbox, numbered from 1: so many were begun, and opened. */
	uint64_t own_begun, own_opened;
	struct flows flows;
	struct delivery_queue *queue;
	/* The outbox has messages of queues, which went ahead of the disk. */
	bool outbox_unstored;
	struct log_limit share_limit;
};

/* `on_open`: those who publish may be read again. */
void router_init(struct worker *w, void (*on_open)(struct worker *w));
void router_fini(struct worker *w);

#endif
