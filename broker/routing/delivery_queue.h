/* Deliveries on this worker that wait for a later turn.  What one packet causes may be very much
 * work: many receivers, large messages, filters that overlap. A turn has a budget
 * (worker_begin_turn); what exceeds it waits here and goes on in slices. Messages of one publisher
 * stay in their order (D3), and so do the changes of one retained topic (D4), whoever made them.
 * Everything else takes turns, and who has just come goes first. Meanwhile the publisher is not
 * read.  Thread: the receivers' worker. */
#ifndef ROUTING_DELIVERY_QUEUE_H
#define ROUTING_DELIVERY_QUEUE_H

#include "base/table.h"
#include "routing/local_delivery.h"
#include "routing/router.h"
#include "session/client_link.h"
#include "session/session.h"

struct publisher_queue;

struct delivery_queue {
	struct table publishers;         /* with something that waits here; by session id */
	struct publisher_queue *fresh;   /* came in this turn; utlist DL */
	struct publisher_queue *waiting; /* the others, first come first served; utlist DL */
	struct table topics;             /* the last change that waits, by topic */
	size_t count;                    /* deliveries */
};

void delivery_queue_init(struct worker *w);
/* What is left is dropped. Before the sessions go. */
void delivery_queue_fini(struct worker *w);

/* Does something that this message may not overtake wait here? */
bool delivery_queue_orders(const struct worker *w, const struct msg *msg);

/* Has this message to wait? Else it is delivered at once. */
static inline bool delivery_queue_takes(const struct worker *w, const struct msg *msg)
{
	return worker_turn_is_used(w) ||
	       (w->router->queue->count > 0 && delivery_queue_orders(w, msg));
}

/* One message may be so much of what is left of the turn. */
static inline uint64_t delivery_queue_until(const struct worker *w)
{
	uint64_t until = w->work + w->turn_steps / 8 + 1;

	return until < w->work_until ? until : w->work_until;
}

/* The rest of this delivery, or all of it. `publisher`: the worker that routed the message; NULL:
 * not known. Takes over what *d has, but the filter ids, which are copied. */
void delivery_queue_add_live(struct worker *w, struct live_delivery *d, struct worker *publisher);
/* A delivery to one session; *item is copied. One that has a position in the session's queue is
 * not for here: ordered_work.h. */
void delivery_queue_add_target(struct worker *w, struct msg *msg, const struct target_item *item,
                               struct worker *publisher);

/* What a target gets in its turn (dispatch.c). */
typedef void delivery_queue_give_fn(struct worker *w, struct msg *msg,
                                    const struct target_item *item);
/* A slice of what waits. True: there is more. */
bool delivery_queue_turn(struct worker *w, delivery_queue_give_fn *give);
/* All of it: the broker stops. */
void delivery_queue_flush(struct worker *w, delivery_queue_give_fn *give);

#endif
