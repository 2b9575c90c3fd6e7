/* A rate, on a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rate_limiter.h"

/* How many come through from `from_ms` on, each as soon as it may. */
static uint64_t sent(struct rate_limiter *r, uint32_t per_second, uint64_t from_ms,
                     uint64_t until_ms)
{
	uint64_t count = 0, now_ms = from_ms;

	while (now_ms < until_ms) {
		count++;
		now_ms += rate_limiter_spend(r, per_second, now_ms);
	}
	return count;
}

static void rates_hold(void **state)
{
	static const uint32_t rates[] = {1, 7, 20, 1000, 30000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate_limiter r = {0};
		uint64_t rate_limiter = rates[i],
			 burst = rate_limiter * RATE_LIMITER_BURST_MS / 1000;
		uint64_t slack = rate_limiter * RATE_LIMITER_PAUSE_MS / 1000 + 2;
		uint64_t first = sent(&r, rates[i], 5000, 15000);
		uint64_t then = sent(&r, rates[i], 15000, 25000);

		/* The burst once, then ten times the rate each. */
		assert_in_range(first, burst + rate_limiter * 10 - slack,
		                burst + rate_limiter * 10 + slack);
		assert_in_range(then, rate_limiter * 10 - slack, rate_limiter * 10 + slack);
	}
}

static void silence_saves_up_a_burst_and_no_more(void **state)
{
	struct rate_limiter r = {0};

	(void)state;
	assert_int_equal(sent(&r, 10, 1000, 1001), 31);
	assert_int_equal(sent(&r, 10, 2000, 2001), 10);
	assert_int_equal(sent(&r, 10, 3600000, 3600001), 31);
}

static void pauses_are_long_enough(void **state)
{
	struct rate_limiter slow = {0}, fast = {0};
	uint64_t wait_ms = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		wait_ms = rate_limiter_spend(&slow, 1, 1000);
	assert_int_equal(wait_ms, 1000);
	for (int i = 0; i < 3001; i++)
		wait_ms = rate_limiter_spend(&fast, 1000, 1000);
	assert_int_equal(wait_ms, RATE_LIMITER_PAUSE_MS);
}

static void many_at_once_wait_as_one_by_one(void **state)
{
	struct rate_limiter r = {0};

	(void)state;
	assert_int_equal(rate_limiter_spend_many(&r, 3000, 1000, 5000), 0);
	assert_int_equal(rate_limiter_spend_many(&r, 64000, 1000, 5000), 64000);
	assert_int_equal(rate_limiter_spend_many(&r, 1000, 1000, 69000), 1000);
	assert_true(rate_limiter_is_full(&r, 73000));
	assert_int_equal(rate_limiter_spend_many(&r, UINT64_C(1) << 32, UINT32_C(1) << 30, 80000),
	                 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rates_hold),
	    cmocka_unit_test(silence_saves_up_a_burst_and_no_more),
	    cmocka_unit_test(pauses_are_long_enough),
	    cmocka_unit_test(many_at_once_wait_as_one_by_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
