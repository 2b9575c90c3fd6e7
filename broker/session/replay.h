/* Retained values for a new subscription.  Thread: the session's worker. */
#ifndef SESSION_REPLAY_H
#define SESSION_REPLAY_H

#include "session/session.h"

/* From its beginning, whatever the subscription was given before. */
void replay_start(struct session *s, struct subscription *sub, uint64_t until);
/* It was replaced, and asks for no replay: an unfinished one goes on under its new options. */
void replay_go_on(struct session *s, struct subscription *sub);
/* The journal has it, where it is kept. */
void replay_record(const struct subscription *sub);
/* It is unsubscribed. */
void replay_end(struct subscription *sub);
/* It goes with its session: nothing of it is written down. */
void replay_drop(struct subscription *sub);
/* A slice of the session's replays: how many steps it took. */
size_t replay_slice(struct session *s);
/* One that was kept: from its beginning. False: its subscription asks for none that is kept. */
bool replay_restore(struct session *s, struct subscription *sub, uint64_t until);
/* The client goes away: what is in the queue on disk is left there. */
void replays_page_out(struct session *s);
void replays_free(struct session *s);

#endif
