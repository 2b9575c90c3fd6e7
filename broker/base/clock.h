/* Time.  Timers and intervals use the monotonic clock; only what crosses a restart uses the wall
 * clock. A simulation replaces the source before any thread starts. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

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

/* "2026-11-21T01:41:31Z" */
#define CLOCK_TEXT_MAX 32
const char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_MAX]);

#endif
