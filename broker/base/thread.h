/* Threads and locks: thin names over pthreads, so that misuse aborts. Sanitizers see the real
 * thing. The order of locks is checked (lock_order.h). */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "base/lock_order.h"

struct mutex {
	pthread_mutex_t m;
	enum lock_rank rank;
};

#define MUTEX_INITIALIZER(its_rank)                                                                \
	{                                                                                          \
		.m = PTHREAD_MUTEX_INITIALIZER, .rank = (its_rank)                                 \
	}

struct condition {
	pthread_cond_t c; /* waits on CLOCK_MONOTONIC */
};

struct thread {
	pthread_t t;
};

typedef void *thread_fn(void *arg);

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
/* Abort where the calling thread does not hold it: in debug and sanitizer builds. */
static inline void mutex_require(const struct mutex *m)
{
	lock_order_require(m);
}

void condition_init(struct condition *c);
void condition_fini(struct condition *c);
void condition_wait(struct condition *c, struct mutex *m);
/* Wake at the latest after timeout_ms. */
void condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ms);
/* Wake at the latest when the monotonic clock says so. */
void condition_wait_until(struct condition *c, struct mutex *m, uint64_t monotonic_ns);
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);

/* Start a thread with all signals blocked. 0 or -errno. `name`: at most 15 characters, shown by ps
 * and gdb. */
int thread_start(struct thread *t, const char *name, thread_fn *fn, void *arg);
/* From now on the calling thread has a small share of a processor that others want (nice +10), in
 * short pieces where it gives way between them. An acknowledgement that waits for it is little
 * later for that, also where other programs keep all processors busy: 0.3 in place of 0.25 ms on
 * average, 7 in place of 4 in a hundred. */
void thread_yield_to_others(void);
/* Threads that wait for this processor have it first. */
void thread_give_way(void);
void thread_join(struct thread *t);

#endif
