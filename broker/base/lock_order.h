/* The order in which a thread takes locks (locks.def), checked in debug and sanitizer builds:
 * a thread that takes a lock that stands above one that it holds aborts with the names of both,
 * even if no other thread is involved.  Thread: any. */
#ifndef BASE_LOCK_ORDER_H
#define BASE_LOCK_ORDER_H

enum lock_rank {
	LOCK_UNRANKED, /* of tests: taken in any order */
#define LOCK(id, name) LOCK_##id,
#include "base/locks.def"
#undef LOCK
	LOCK_COUNT
};

#if VAKT_CHECK_LOCKS

void lock_order_take(const void *lock, enum lock_rank rank);
void lock_order_release(const void *lock);
/* The calling thread holds this lock. */
void lock_order_require(const void *lock);

#else

static inline void lock_order_take(const void *lock, enum lock_rank rank)
{
	(void)lock;
	(void)rank;
}

static inline void lock_order_release(const void *lock)
{
	(void)lock;
}

static inline void lock_order_require(const void *lock)
{
	(void)lock;
}

#endif
#endif
