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

void slots_init(struct slots *s, unsigned count);
void slots_fini(struct slots *s);
void slots_read_lock(struct slots *s, unsigned slot);
void slots_read_unlock(struct slots *s, unsigned slot);
void slots_write_lock(struct slots *s); /* never while holding one of them */
void slots_write_unlock(struct slots *s);

#endif
