/* Time.  Timers and intervals use the monotonic clock, which goes on in suspend.  What crosses a
 * restart is in store time (journal/store_clock.h), the only thing that asks the wall clock.  A
 * simulation replaces the source before any thread starts. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_source {
	uint64_t (*monotonic_ns)(void *arg);
	int64_t (*wall_ms)(void *arg); /* since the epoch */
	void *arg;
};

void clock_use(const struct clock_source *source); /* NULL: the machine's clocks again */
uint64_t clock_monotonic_ns(void);
uint64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void);

/* 2026-01-01: before this version was made.  A machine without a clock of its own shows an earlier
 * time until it has asked the network. */
#define CLOCK_EARLIEST_MS ((int64_t)1767225600000)
bool clock_is_set(int64_t wall_ms);

/* "2026-11-21T01:41:31Z" */
#define CLOCK_TEXT_MAX 32
const char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_MAX]);
/* "2 seconds", "1 minute", "23 hours", "3 days": in the largest unit, rounded down; the sign is
 * left out. */
const char *clock_duration(int64_t seconds, char out[CLOCK_TEXT_MAX]);

#endif
