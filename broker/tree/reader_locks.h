/* One lock per reader: a reader takes only its own, uncontended; a writer takes all, in ascending
 * order.  Thread: slot i is for executor i; the last slot is shared by threads that are no workers.
 */
#ifndef TREE_READER_LOCKS_H
#define TREE_READER_LOCKS_H

#include "base/thread.h"

struct slot {
	struct mutex lock;
} __attribute__((aligned(64)));

struct reader_locks {
	struct slot *slot;
	unsigned count;
};

void reader_locks_init(struct reader_locks *s, unsigned count, enum lock_rank rank);
void reader_locks_fini(struct reader_locks *s);
void reader_locks_lock(struct reader_locks *s, unsigned slot);
void reader_locks_unlock(struct reader_locks *s, unsigned slot);
void reader_locks_lock_all(struct reader_locks *s); /* never while holding one of them */
void reader_locks_unlock_all(struct reader_locks *s);
/* As mutex_require(): this one is held, or all of them, which are only ever taken together. */
static inline void reader_locks_require(const struct reader_locks *s, unsigned slot)
{
	mutex_require(&s->slot[slot].lock);
}

static inline void reader_locks_require_all(const struct reader_locks *s)
{
	reader_locks_require(s, 0);
	reader_locks_require(s, s->count - 1);
}

#endif
