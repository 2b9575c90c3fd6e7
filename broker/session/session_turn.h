/* Work that sessions have left, at the end of a turn of the loop: a bounded amount.  Thread: the
 * worker's. */
#ifndef SESSION_SESSION_TURN_H
#define SESSION_SESSION_TURN_H

#include "worker/worker.h"

/* A slice of each, as far as the turn's budget goes. True: some have more to do. */
bool session_turn(struct worker *w);
/* Free all sessions of the worker; nothing is published. */
void session_turn_fini(struct worker *w);

#endif
