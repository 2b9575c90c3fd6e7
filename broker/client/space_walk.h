/* The store has space again: the connections that wait for it go on, some in each turn.  Thread:
 * the worker's. */
#ifndef CLIENT_SPACE_WALK_H
#define CLIENT_SPACE_WALK_H

#include "client/conn.h"
#include "worker/worker.h"

/* All connections are looked at from now on, each at least once. */
void space_walk_start(struct worker *w);
/* Some of them. True: there are more. */
bool space_walk_turn(struct worker *w);
bool space_walk_is_pending(const struct worker *w);
/* The connection leaves. */
void space_walk_forget(struct conn *c);

#endif
