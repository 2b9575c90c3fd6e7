/* Removes expired retained messages from memory, and frees topics whose owner's time is over, a few
 * at a time.
 *
 * The journal needs no record of it: the writer finds the rows of expired messages by itself 7 days
 * later. A row that only says who owns the topic is dropped by the next start, which finds that the
 * owner's time is over; until then it is small and has no effect.
 *
 * Thread: worker 0's, except expire_retained_start. */
#ifndef SERVER_EXPIRE_RETAINED_H
#define SERVER_EXPIRE_RETAINED_H

#define EXPIRE_RETAINED_INTERVAL_MS 10000
#define EXPIRE_RETAINED_NODES       8192 /* visited each time: about a millisecond */

struct shared;
struct expire_retained;

/* From now on, until the worker stops. From any thread. The caller frees it when the workers are
 * gone. */
struct expire_retained *expire_retained_start(struct shared *shared);
void expire_retained_free(struct expire_retained *expiry);

#endif
