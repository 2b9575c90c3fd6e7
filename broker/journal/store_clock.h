/* Store time: milliseconds that never go back, over all restarts.  While the broker runs they
 * follow the monotonic clock, suspend included: a step of the machine's clock ages nothing.  What
 * passed while it was down is what the wall clock says, as far as that can be believed.
 *
 * A time that is not believed counts as none: data lives longer then, by at most the time that it
 * has left, while counting it could end everything at once.  Pure.  Thread: any. */
#ifndef JOURNAL_STORE_CLOCK_H
#define JOURNAL_STORE_CLOCK_H

#include "store/store_tables.h"

/* The longest time that the broker is believed to have been down: 90 days. */
#define STORE_CLOCK_DOWN_MAX_MS ((uint64_t)90 * 24 * 3600 * 1000)

struct store_clock_start {
	uint64_t time_ms; /* store time now */
	uint64_t down_ms; /* counted as passed since the last time that is known */
	/* Why the wall clock is not believed, and nothing counts; NULL: it is, or nothing was
	 * stored before. */
	const char *doubt;
};

/* `last`: what the store knows of the time before, zeros: it is new. */
struct store_clock_start store_clock_begin(struct store_time last, int64_t wall_ms);

/* Was the wall clock set since the time of `last`, on the same clock that gives `now`? */
bool store_clock_was_set(struct store_time last, struct store_time now);

#endif
