/* What this thread holds, in the order in which it was taken.  For debug and sanitizer builds. */
#include "base/lock_order.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/require.h"

#if VAKT_CHECK_LOCKS

#define TAKEN_MAX 256 /* a writer of a tree holds a lock for each worker */

struct taken {
	const void *lock;
	enum lock_rank rank;
};

static _Thread_local struct taken taken[TAKEN_MAX];
static _Thread_local size_t taken_count;

static const char *name_of(enum lock_rank rank)
{
	static const char *const names[LOCK_COUNT] = {
	    [LOCK_UNRANKED] = "unranked",
#define LOCK(id, name) [LOCK_##id] = (name),
#include "base/locks.def"
#undef LOCK
	};

	return names[rank];
}

static void check_order(const struct taken *before, const void *lock, enum lock_rank rank)
{
	if (before->rank == LOCK_UNRANKED || before->rank < rank)
		return;
	if (before->rank == rank && (uintptr_t)before->lock < (uintptr_t)lock)
		return;
	require_end_soon();
	fprintf(stderr, "lock order: '%s' is taken while '%s' is held\n", name_of(rank),
	        name_of(before->rank));
	require_failed("lock order", __FILE__, __LINE__);
}

void lock_order_take(const void *lock, enum lock_rank rank)
{
	for (size_t i = 0; i < taken_count && rank != LOCK_UNRANKED; i++)
		check_order(&taken[i], lock, rank);
	REQUIRE(taken_count < TAKEN_MAX);
	taken[taken_count++] = (struct taken){.lock = lock, .rank = rank};
}

void lock_order_release(const void *lock)
{
	size_t i = taken_count;

	while (i > 0 && taken[i - 1].lock != lock)
		i--;
	REQUIRE(i > 0);
	for (; i < taken_count; i++)
		taken[i - 1] = taken[i];
	taken_count--;
}

void lock_order_require(const void *lock)
{
	for (size_t i = taken_count; i > 0; i--) {
		if (taken[i - 1].lock == lock)
			return;
	}
	require_failed("a lock is held", __FILE__, __LINE__);
}

#endif
