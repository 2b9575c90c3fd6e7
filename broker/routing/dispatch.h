/* A message to its receivers: those of this worker at once where the order permits, others with the
 * next batch.  Thread: the sender's worker. */
#ifndef ROUTING_DISPATCH_H
#define ROUTING_DISPATCH_H

#include "durability/delivery_target.h"
#include "journal/notifications.h"
#include "journal/record.h"
#include "tree/msg.h"
#include "tree/route_match.h"
#include "worker/worker.h"

/* Give the live part of a match to all workers. `through_mailbox`: to this one too. */
void dispatch_live(struct worker *w, struct msg *msg, const struct route_match *match,
                   bool through_mailbox);
void dispatch_target(struct worker *w, struct msg *msg, const struct target_item *item,
                     bool through_mailbox);
/* Another member of the group, for a message that its member did not take. */
void dispatch_next_member(struct worker *w, struct msg *msg, const struct target_item *item,
                          uint64_t tried);
/* Do deliveries wait on this worker for a later turn (delivery_queue.h, ordered_work.h)? */
bool dispatch_waits(const struct worker *w);
/* The turn ends: a slice of them. */
void dispatch_turn(struct worker *w);
/* Deliver and send everything that waits: the broker stops. */
void dispatch_flush(struct worker *w);
/* A queue record is durable, or was refused (journal_queued_fn). */
void dispatch_on_queued(void *executor_arg, const struct record *record,
                        enum queue_outcome outcome);
/* Several of them (journal_notified_fn): in slices. */
void dispatch_on_notified(void *executor_arg, struct notifications *notifications);

#endif
