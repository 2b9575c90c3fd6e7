/* See store_clock.h. */
#include "journal/store_clock.h"

#include "base/clock.h"

/* The clock is slewed by some milliseconds per second, and set by fractions of one; that is no
 * news.
 */
#define TOLERANCE_MS 5000

/* NULL: the difference can be believed.  That of a clock which was never set can: it began anew
 * with the machine, or has gone on. */
static const char *doubt_of(int64_t last_ms, int64_t wall_ms)
{
	bool was_set = clock_is_set(last_ms);

	if (was_set && !clock_is_set(wall_ms))
		return "the machine's clock is not set: it shows a time before this version of the "
		       "broker was made";
	if (!was_set && clock_is_set(wall_ms))
		return "the machine's clock was not set when the broker was stopped";
	if (wall_ms < last_ms - TOLERANCE_MS)
		return "the machine's clock shows an earlier time than when the broker was stopped";
	/* mutant: store_clock_leap */
	if (wall_ms > last_ms && (uint64_t)(wall_ms - last_ms) > STORE_CLOCK_DOWN_MAX_MS)
		return "the machine's clock says that the broker was down for more than 90 days";
	return NULL;
}

struct store_clock_start store_clock_begin(struct store_time last, int64_t wall_ms)
{
	struct store_clock_start start = {.time_ms = last.time_ms};

	if (last.time_ms == 0) {
		start.time_ms = (uint64_t)(clock_is_set(wall_ms) ? wall_ms : CLOCK_EARLIEST_MS);
		return start;
	}
	start.doubt = doubt_of(last.wall_ms, wall_ms);
	if (start.doubt == NULL && wall_ms > last.wall_ms)
		start.down_ms = (uint64_t)(wall_ms - last.wall_ms);
	start.time_ms += start.down_ms;
	return start;
}

bool store_clock_was_set(struct store_time last, struct store_time now)
{
	int64_t passed_ms = (int64_t)(now.time_ms - last.time_ms);
	int64_t by_ms = now.wall_ms - last.wall_ms - passed_ms;

	return by_ms > TOLERANCE_MS || by_ms < -TOLERANCE_MS;
}
