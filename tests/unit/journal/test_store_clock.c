/* Store time over restarts: how much of what the wall clock says is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal/store_clock.h"

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND      ((int64_t)1000)
#define DAY         (24 * 3600 * SECOND)
#define RIGHT       (CLOCK_EARLIEST_MS + 400 * DAY) /* a clock that is right */
#define UNSET       (100 * SECOND)                  /* 1970, 100 seconds after the power came */
#define YEAR_2036   ((int64_t)2085978496000)        /* NTP's seconds overflow */

static void downtime_counts_as_far_as_the_clock_is_believed(void **state)
{
	static const struct {
		const char *name;
		int64_t stopped_ms, started_ms, want_down_ms;
		const char *want_doubt;
	} rows[] = {
	    {"a second", RIGHT, RIGHT + SECOND, SECOND, NULL},
	    {"no time at all", RIGHT, RIGHT, 0, NULL},
	    {"a month", RIGHT, RIGHT + 30 * DAY, 30 * DAY, NULL},
	    {"the longest", RIGHT, RIGHT + 90 * DAY, 90 * DAY, NULL},
	    {"longer", RIGHT, RIGHT + 90 * DAY + 1, 0, "for more than 90 days"},
	    {"a little back", RIGHT, RIGHT - 2 * SECOND, 0, NULL},
	    {"an hour back", RIGHT, RIGHT - 3600 * SECOND, 0, "an earlier time than when"},
	    {"not set now", RIGHT, UNSET, 0, "is not set: "},
	    {"the epoch itself", RIGHT, 0, 0, "is not set: "},
	    {"before the epoch", RIGHT, -5 * DAY, 0, "is not set: "},
	    {"not set then", UNSET, RIGHT, 0, "was not set when"},
	    {"never set", UNSET, UNSET + DAY, DAY, NULL},
	    {"never set, and the machine began anew", UNSET + DAY, UNSET, 0, "an earlier"},
	    {"2036 now", RIGHT, YEAR_2036, 0, "for more than 90 days"},
	    {"2036 then", YEAR_2036, RIGHT, 0, "an earlier time than when"},
	    {"2036 both times", YEAR_2036, YEAR_2036 + DAY, DAY, NULL},
	    {"the end of time", RIGHT, INT64_MAX, 0, "for more than 90 days"},
	    {"the end of time then", INT64_MAX, RIGHT, 0, "an earlier time than when"},
	    {"the beginning of time", RIGHT, INT64_MIN, 0, "is not set: "},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct store_time last = {.time_ms = 5000000, .wall_ms = rows[i].stopped_ms};
		struct store_clock_start start = store_clock_begin(last, rows[i].started_ms);

		print_message("# %s\n", rows[i].name);
		assert_int_equal(start.down_ms, rows[i].want_down_ms);
		assert_int_equal(start.time_ms, 5000000 + rows[i].want_down_ms);
		assert_true((start.doubt == NULL) == (rows[i].want_doubt == NULL));
		if (start.doubt != NULL)
			assert_non_null(strstr(start.doubt, rows[i].want_doubt));
	}
}

static void new_store_begins_with_the_clock_or_with_the_earliest_time(void **state)
{
	struct store_time none = {0};

	(void)state;
	assert_int_equal(store_clock_begin(none, RIGHT).time_ms, RIGHT);
	assert_int_equal(store_clock_begin(none, UNSET).time_ms, CLOCK_EARLIEST_MS);
	assert_int_equal(store_clock_begin(none, YEAR_2036).time_ms, YEAR_2036);
	assert_null(store_clock_begin(none, UNSET).doubt); /* there is nothing to lose */
}

static void step_is_told_from_slewing(void **state)
{
	struct store_time last = {.time_ms = 1000000, .wall_ms = RIGHT}, now = last;

	(void)state;
	assert_false(store_clock_was_set(last, now));
	now.time_ms += (uint64_t)(3600 * SECOND);
	now.wall_ms += 3600 * SECOND + 100; /* it is slewed */
	assert_false(store_clock_was_set(last, now));
	now.wall_ms += 3600 * SECOND;
	assert_true(store_clock_was_set(last, now));
	now.wall_ms = UNSET;
	assert_true(store_clock_was_set(last, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(downtime_counts_as_far_as_the_clock_is_believed),
	    cmocka_unit_test(new_store_begins_with_the_clock_or_with_the_earliest_time),
	    cmocka_unit_test(step_is_told_from_slewing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
