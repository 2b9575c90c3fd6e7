/* The part of a durable session's queue that is on disk only: messages queued for offline clients
 * use disk, not memory.  What is in memory has lower positions than what is not; a client that
 * reconnects gets the rest in pages, which the journal's thread reads.  Thread: the session's
 * owner. */
#ifndef SESSION_DISK_QUEUE_H
#define SESSION_DISK_QUEUE_H

#include "session/session.h"

/* A message with this position waits: leave it on disk? False: it is for memory. */
bool disk_queue_leave(struct session *s, uint64_t position, struct msg *msg);
/* The client has gone: so many from this position on, none of which it was given, are on disk.
 * False: they must be in memory, for something after them is. */
bool disk_queue_leave_rest(struct session *s, uint64_t first, uint64_t count, uint64_t bytes);
/* The same where there is no memory for it. False: something later is in memory. */
bool disk_queue_leave_behind(struct session *s, uint64_t position, struct msg *msg);
/* A page gave it already. */
bool disk_queue_has_given(const struct session *s, uint64_t position);
/* The client has gone: what waits in memory and is on disk is released. */
void disk_queue_page_out(struct session *s);
/* There is space in memory: the next page. */
void disk_queue_pump(struct session *s);
/* Messages that are on disk only. */
uint64_t disk_queue_count(const struct session *s);
uint64_t disk_queue_bytes(const struct session *s);
/* May the queue of this session in the store take so many bytes more? NULL: it may. */
const char *disk_queue_exceeds(const struct session *s, size_t bytes);
/* At the start: this many are there, from this position on. */
void disk_queue_restore(struct session *s, uint64_t count, uint64_t bytes, uint64_t first);
void disk_queue_free(struct session *s);

#endif
