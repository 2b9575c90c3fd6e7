/* One mutex per reader; a writer takes them all in ascending order, so that writers cannot wait for
 * each other in a circle.  Any thread. */
#include "tree/reader_locks.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line of its own");

void reader_locks_init(struct reader_locks *s, unsigned count, enum lock_rank rank)
{
	REQUIRE(count > 0);
	s->count = count;
	s->slot = aligned_alloc(_Alignof(struct slot), count * sizeof(*s->slot));
	REQUIRE(s->slot != NULL);
	for (unsigned i = 0; i < count; i++)
		mutex_init(&s->slot[i].lock, rank);
}

void reader_locks_fini(struct reader_locks *s)
{
	for (unsigned i = 0; i < s->count; i++)
		mutex_fini(&s->slot[i].lock);
	free(s->slot);
	*s = (struct reader_locks){0};
}

void reader_locks_lock(struct reader_locks *s, unsigned slot)
{
	REQUIRE(slot < s->count);
	mutex_lock(&s->slot[slot].lock);
}

void reader_locks_unlock(struct reader_locks *s, unsigned slot)
{
	REQUIRE(slot < s->count);
	mutex_unlock(&s->slot[slot].lock);
}

void reader_locks_lock_all(struct reader_locks *s)
{
	for (unsigned i = 0; i < s->count; i++)
		mutex_lock(&s->slot[i].lock);
}

void reader_locks_unlock_all(struct reader_locks *s)
{
	for (unsigned i = s->count; i > 0; i--)
		mutex_unlock(&s->slot[i - 1].lock);
}
