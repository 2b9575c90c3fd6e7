/* Work that sessions have left: a slice of each in turn, a bounded amount in a turn of the loop.
 * Thread: the sessions' owner. */
#ifndef SESSION_SESSION_WORK_H
#define SESSION_SESSION_WORK_H

#include <stdbool.h>
#include <stddef.h>

struct session;
struct worker;

enum session_work {
	SESSION_WORK_REPLAY = 1, /* replay.c */
	SESSION_WORK_SEND = 2,   /* session_deliver.c */
	SESSION_WORK_NOTE = 4,   /* inflight_end.c */
	SESSION_WORK_GIVE = 8,
};

/* At the turn's end, after what others have left to do. */
void session_work_add(struct session *s, enum session_work what);
/* The session goes: nothing is left to do. */
void session_work_forget(struct session *s);
/* It has ended, is in no table any more, and much of it is left to be freed. */
void session_work_add_ended(struct session *s);
#endif
