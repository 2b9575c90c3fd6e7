/* What was kept, alive again: retained values, sessions with everything of theirs, wills.  Runs on
 * main, before any worker does and before any listener opens; enters the executors it builds in.
 * DESIGN.md section 6; D1, D2, D5, D6. */
#ifndef SERVER_RESTORE_H
#define SERVER_RESTORE_H

#include "worker/shared.h"

struct restored {
	uint64_t sessions, subscriptions, queued, retained, wills;
};

/* Everything is there again. Nothing is sent. 0 or -errno; *text says what to do. */
int restore_load(struct shared *shared, struct restored *out, char text[STORE_ERROR_TEXT]);
/* What came due meanwhile happens: sessions end, wills go out. Nobody may have connected yet. */
void restore_settle(struct shared *shared);

#endif
