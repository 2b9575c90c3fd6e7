/* Work that sessions have left, at the end of a turn of the loop: a bounded amount.  Thread: the
 * worker's. */
#ifndef SESSION_SESSION_TURN_H
#define SESSION_SESSION_TURN_H

#include "session/session.h"
#include "worker/worker.h"

static inline bool session_turn_is_pending(const struct worker *w)
{
	const struct session_table *t = w->sessions;

	return t->working != NULL || t->ended != NULL || t->attaching != NULL;
}
/* A slice of each, as far as the turn's budget goes. True: some have more to do. */
bool session_turn(struct worker *w);
/* Free all sessions of the worker; nothing is published. */
void session_turn_fini(struct worker *w);

#endif
