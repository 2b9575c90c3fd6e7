/* A message on this worker: its receivers here, and the options of each.  Thread: the receivers'
 * worker. */
#ifndef ROUTING_LOCAL_DELIVERY_H
#define ROUTING_LOCAL_DELIVERY_H

#include "durability/delivery_target.h"
#include "routing/router.h"
#include "session/subscription.h"
#include "tree/msg.h"
#include "worker/worker.h"

/* A message on its way to the live subscribers of filters. It may take several turns: what it needs
 * for that is empty until the first one has ended. */
struct live_delivery {
	struct msg *msg;
	const uint64_t *filter_ids;
	size_t filter_count;
	size_t filter_at; /* the filters before this one are done */
	bool has_begun;   /* with this filter: the cursor says where to go on */
	struct subscriber_cursor cursor;
	struct merges merges; /* of several filters */
	size_t given;         /* of those merges */
	bool is_merged;       /* all of them are known */
};

/* Deliver to every live subscriber of the filters at this worker, until so much work is done.
 * False: the rest is left for another call. */
bool local_delivery_live(struct worker *w, struct live_delivery *d, uint64_t until);
/* What it takes of memory, besides its message. */
size_t local_delivery_bytes(const struct live_delivery *d);
/* It will not be completed. */
void local_delivery_forget(struct worker *w, struct live_delivery *d);
/* Deliver to one session by id. False: it is gone, or did not take the message. */
bool local_delivery_target(struct worker *w, struct msg *msg, const struct target_item *item);

#endif
