/* What routing has of a worker: scratch of a publish, batches that are being built, pressure.
 * Thread: the worker's. */
#ifndef ROUTING_ROUTER_H
#define ROUTING_ROUTER_H

#include "routing/flow.h"

struct batch;
struct merge;

struct router {
	struct route_match match;
	/* local_delivery.c: sessions that several filters of a message name. */
	struct merge *merges;
	size_t merge_count, merge_cap;
	uint64_t merge_serial;
	uint64_t *ids; /* batch.c: filter ids of one executor */
	size_t id_cap;
	struct batch **outbox; /* one per executor: built during the turn */
	size_t own_in_flight;  /* batches of ours in our own mailbox */
	struct flows flows;
	/* The outbox has messages of queues, which went ahead of the disk. */
	bool outbox_kept;
	struct log_limit share_limit;
};

/* `on_open`: those who publish may be read again. */
void router_init(struct worker *w, void (*on_open)(struct worker *w));
void router_fini(struct worker *w);

#endif
