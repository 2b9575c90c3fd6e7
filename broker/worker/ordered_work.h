/* Work that is done in the order in which it came, a slice in each turn.  Each kind has a list of
 * the worker, and nothing of a kind is done while something older of it waits. ORDERED_POSITIONS:
 * messages at positions of queues, and pages of queues, of which one packet may bring very many;
 * whoever they are for, because positions are given in their order. ORDERED_PUBLISHES: what no
 * connection publishes: wills, and the broker's own messages. Thread: the worker's. */
#ifndef WORKER_ORDERED_WORK_H
#define WORKER_ORDERED_WORK_H

#include "worker/worker.h"

/* A member of what has to be done. */
struct ordered_work {
	struct ordered_work *prev, *next;
	/* Until worker->work has come so far. True: it is done, and has freed itself. */
	bool (*go_on)(struct worker *w, struct ordered_work *work, uint64_t until);
	/* The worker goes without a stop (a crash): free it. */
	void (*drop)(struct worker *w, struct ordered_work *work);
};

/* At once, where nothing is older and the turn is not used up; else later. */
void ordered_work_add(struct worker *w, enum ordered_kind kind, struct ordered_work *work);
/* Has what comes now to wait? */
static inline bool ordered_work_waits(const struct worker *w, enum ordered_kind kind)
{
	return w->ordered[kind] != NULL || worker_turn_is_used(w);
}
/* The newest that waits; NULL: none. */
struct ordered_work *ordered_work_last(const struct worker *w, enum ordered_kind kind);
/* A slice. */
void ordered_work_turn(struct worker *w, enum ordered_kind kind);
/* All of it: the broker stops, or has not begun. */
void ordered_work_flush(struct worker *w, enum ordered_kind kind);
void ordered_work_fini(struct worker *w, enum ordered_kind kind);

#endif
