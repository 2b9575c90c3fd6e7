/* Retained values that have expired leave memory, and topics whose owner's time is up are free
 * again, without anybody asking for them: a few at a time, every now and then.
 *
 * Nothing of it goes to the journal, which needs no telling: the keeper finds the rows of expired
 * values by itself, 7 days later (with the value goes what it says about the owner), and a row of
 * a deleted value that is there for its owner alone is dropped by the next start, which finds that
 * the owner's time is up; until then it is as harmless as it is small.
 *
 * Thread: worker 0's, except sweep_start. */
#ifndef SERVER_EXPIRE_RETAINED_H
#define SERVER_EXPIRE_RETAINED_H

#define SWEEP_INTERVAL_MS 10000
#define SWEEP_NODES       8192 /* of the tree, each time: about a millisecond */

struct shared;
struct sweep;

/* From now on, until the worker stops. From any thread. The caller frees it when the workers are
 * gone. */
struct sweep *sweep_start(struct shared *shared);
void sweep_free(struct sweep *sweep);

#endif
