/* Wills: stored with the session, published at most once.  Thread: the session's worker. */
#ifndef SESSION_WILL_H
#define SESSION_WILL_H

#include "session/session.h"

/* What one takes of memory with such a message (msg_bytes). */
size_t will_cost(size_t message_bytes);
void will_set(struct session *s, struct msg *msg, uint32_t delay_s);
void will_drop(struct session *s);
/* The broker stops: forgotten here, published by the next start. */
void will_leave(struct session *s);
/* One that was kept; due_ms: monotonic. Takes over msg. */
void will_restore(struct session *s, struct msg *msg, uint32_t delay_s, uint64_t due_ms);

#endif
