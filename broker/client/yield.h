/* A connection that has used its share of a turn: it is not read until a later turn of the loop, in
 * which those before it have had their share.  Thread: the connection's owner. */
#ifndef CLIENT_YIELD_H
#define CLIENT_YIELD_H

#include "client/conn.h"

/* conn.heavy_until_ms of a connection that has not caused any work yet. */
#define HEAVY_NEW UINT64_MAX
/* So much at a time is heavy, and its connection is remembered for it: what is counted as a quarter
 * of a millisecond, or has taken so long that twenty of the kind in one turn would be felt. */
#define HEAVY_STEPS(w) ((w)->turn_steps / 16)
#define HEAVY_NS       UINT64_C(50000)
#define HEAVY_MS       UINT64_C(10000)

/* Pause it (PAUSE_TURN). */
void yield_begin(struct conn *c);
/* The same, before all others: the packet at hand is under way, and has to begin anew where others
 * change subscriptions meanwhile. */
void yield_go_on(struct conn *c);
void yield_forget(struct conn *c);
bool yield_is_pending(const struct worker *w);
/* It has caused so much work (worker->work) and taken so long. One that is new is like one that has
 * caused much. */
static inline void yield_note_work(struct conn *c, uint64_t work, uint64_t ns)
{
	const struct worker *w = c->link.worker;

	/* mutant: heavy_by_steps_alone */
	if (work > HEAVY_STEPS(w) || ns > HEAVY_NS)
		c->heavy_until_ms = w->executor.now_ms + HEAVY_MS;
	else if (c->heavy_until_ms == HEAVY_NEW)
		c->heavy_until_ms = 0;
}

/* One in a turn goes on at once; the others, or all where much of the turn is used, wait behind
 * those that wait already. */
bool yield_heavy(struct conn *c);
/* Bytes have come. True: its packets are likely to be much work, and they wait, so that many of
 * that kind together do not make a turn long, nor the queue of those who are to be read
 * (loop_queue.h). */
static inline bool yield_if_heavy(struct conn *c)
{
	return c->link.worker->executor.now_ms < c->heavy_until_ms && yield_heavy(c);
}

/* Let those that yielded before this turn go on, within the budget of this turn. True: some still
 * wait. */
bool yield_turn(struct worker *w);

#endif
