/* A message on this worker: its receivers here, and the options of each.  Thread: the receivers'
 * worker. */
#ifndef ROUTING_LOCAL_DELIVERY_H
#define ROUTING_LOCAL_DELIVERY_H

#include "durability/delivery_target.h"
#include "tree/msg.h"
#include "worker/worker.h"

/* Deliver to every live subscriber of these filters at this worker. */
void local_delivery_live(struct worker *w, struct msg *msg, const uint64_t *filter_ids,
                         size_t count);
/* Deliver to one session by id. False: it is gone, or did not take the message. */
bool local_delivery_target(struct worker *w, struct msg *msg, const struct target_item *item);

#endif
