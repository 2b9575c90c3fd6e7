/* Timers of one executor: a four-ary heap by due time.  Arming is O(log n); nothing is armed per
 * packet. Thread: the executor that owns the heap. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *timer, void *executor_arg);

/* Embedded in what it times. Zero-initialised, then `fire` set. */
struct timer {
	timer_fn *fire;
	uint64_t due_ms; /* monotonic */
	size_t slot;     /* place in the heap + 1; 0: not armed */
};

struct timers {
	struct timer **heap;
	size_t count, cap;
};

void timers_fini(struct timers *t); /* frees the heap; timers still armed are forgotten */
/* Arm it, or change the time when it is armed. */
void timer_arm(struct timers *t, struct timer *timer, uint64_t due_ms);
void timer_disarm(struct timers *t, struct timer *timer); /* it need not be armed */
/* Fire all that are due, earliest first; a timer may arm itself again. Bounded: those armed
 * meanwhile for now or earlier wait for the next call. */
void timers_run(struct timers *t, uint64_t now_ms, void *executor_arg);
/* Due time of the earliest, UINT64_MAX where none is armed. */
uint64_t timers_next(const struct timers *t);

static inline bool timer_is_armed(const struct timer *timer)
{
	return timer->slot != 0;
}

#endif
