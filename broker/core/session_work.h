/* What sessions have left to do: a slice of each in turn, a bounded amount in a turn of the loop.
 * Thread: the sessions' home. */
#ifndef CORE_SESSION_WORK_H
#define CORE_SESSION_WORK_H

#include <stdbool.h>
#include <stddef.h>

struct session;
struct worker;

enum session_work {
	SESSION_WORK_REPLAY = 1, /* replay.c */
};

/* At the turn's end, behind what others have left to do. */
void session_work_add(struct session *s, enum session_work what);
/* The session goes: nothing is left to do. */
void session_work_forget(struct session *s);
/* A slice of each, as far as the turn's budget goes. True: some have more to do. */
bool session_work_turn(struct worker *w);

#endif
