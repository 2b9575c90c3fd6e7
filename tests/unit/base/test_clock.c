/* Which of the machine's clocks is asked: one that goes on in suspend.  clock_gettime() is wrapped,
 * so that the machine has been suspended for an hour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"

#define HOUR_S 3600

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = __real_clock_gettime(clock == CLOCK_BOOTTIME ? CLOCK_MONOTONIC : clock, out);

	if (clock == CLOCK_BOOTTIME)
		out->tv_sec += HOUR_S;
	return rc;
}

static uint64_t awake_ms(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void time_in_suspend_passes(void **state)
{
	uint64_t before_ms = awake_ms(), now_ms = clock_monotonic_ms();

	(void)state;
	assert_in_range(now_ms, before_ms + HOUR_S * 1000, awake_ms() + HOUR_S * 1000);
}

/* The wait is timed by a clock that stood still meanwhile. */
static void waiting_ends_in_time_after_suspend(void **state)
{
	struct mutex lock;
	struct condition condition;
	uint64_t before_ms = awake_ms();

	(void)state;
	mutex_init(&lock, LOCK_JOURNAL);
	condition_init(&condition);
	mutex_lock(&lock);
	condition_wait_for(&condition, &lock, 20);
	assert_in_range(awake_ms() - before_ms, 20, 60000);
	condition_wait_until(&condition, &lock, 1); /* has passed */
	mutex_unlock(&lock);
	condition_fini(&condition);
	mutex_fini(&lock);
}

static void clock_before_this_version_is_not_set(void **state)
{
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_false(clock_is_set(0));
	assert_false(clock_is_set(-1));
	assert_false(clock_is_set(CLOCK_EARLIEST_MS - 1));
	assert_true(clock_is_set(CLOCK_EARLIEST_MS));
	assert_true(clock_is_set(clock_wall_ms()));
	assert_string_equal(clock_text(CLOCK_EARLIEST_MS, text), "2026-01-01T00:00:00Z");
}

static void durations_in_words(void **state)
{
	static const struct {
		int64_t seconds;
		const char *words;
	} rows[] = {
	    {0, "0 seconds"},   {1, "1 second"},           {-2, "2 seconds"},    {59, "59 seconds"},
	    {60, "1 minute"},   {-119, "1 minute"},        {3599, "59 minutes"}, {3600, "1 hour"},
	    {7200, "2 hours"},  {86399, "23 hours"},       {-86400, "1 day"},    {172799, "1 day"},
	    {172800, "2 days"}, {INT32_MAX, "24855 days"},
	};
	char text[CLOCK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(clock_duration(rows[i].seconds, text), rows[i].words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_in_suspend_passes),
	    cmocka_unit_test(waiting_ends_in_time_after_suspend),
	    cmocka_unit_test(clock_before_this_version_is_not_set),
	    cmocka_unit_test(durations_in_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
