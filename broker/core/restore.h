/* What was kept, alive again: retained values, sessions with everything of theirs, wills.  Runs on
 * main, before any worker does and before any listener opens; enters the homes it builds in.
 * design.md section 6; D1, D2, D5, D6. */
#ifndef CORE_RESTORE_H
#define CORE_RESTORE_H

#include "core/server.h"

struct restored {
	uint64_t sessions, subscriptions, queued, retained, wills;
};

/* 0 or -errno; *text says what to do. */
int restore_run(struct server *server, struct restored *out, char text[DISK_ERROR_TEXT]);

#endif
