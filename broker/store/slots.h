/* One lock per reader: a reader takes only its own, uncontended; a writer takes all, in ascending
 * order.  Thread: slot i is for home i; the last slot is shared by threads that are no workers. */
#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

#include "base/thread.h"

struct slot {
	struct mutex lock;
} __attribute__((aligned(64)));

struct slots {
	struct slot *slot;
	unsigned count;
};

void reader_locks_init(struct slots *s, unsigned count);
void reader_locks_fini(struct slots *s);
void reader_lock(struct slots *s, unsigned slot);
void reader_unlock(struct slots *s, unsigned slot);
void reader_locks_lock_all(struct slots *s); /* never while holding one of them */
void reader_locks_unlock_all(struct slots *s);

#endif
