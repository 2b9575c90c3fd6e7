/* Brings back what the store has: retained messages, sessions with everything of theirs, wills (D1,
 * D2, D5, D6).  Runs on main, before any worker runs and any listener opens; it enters the
 * executors of the objects that it makes. */
#ifndef SERVER_RESTORE_H
#define SERVER_RESTORE_H

#include "worker/shared.h"

struct restored {
	uint64_t sessions, subscriptions, queued, retained, wills;
};

/* Make all objects. Nothing is sent. 0 or -errno; *text says what to do. */
int restore_load(struct shared *shared, struct restored *out, char text[STORE_ERROR_TEXT]);
/* Do what came due meanwhile: sessions end, wills are published. No client may have connected yet.
 */
void restore_settle(struct shared *shared);

#endif
