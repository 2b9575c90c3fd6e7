/* The rate of a user over many connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rate_limiter.h"
#include "worker/message_rates.h"

#define RATE 10

/* How many may come at this moment without waiting. */
static unsigned burst(struct message_rates *t, struct slice key, uint64_t now_ms)
{
	unsigned n = 0;

	while (message_rates_spend(t, key, RATE, now_ms, 0) == 0)
		n++;
	return n;
}

static void each_key_has_a_bucket_that_fills_again(void **state)
{
	struct message_rates t;

	(void)state;
	message_rates_init(&t);
	assert_int_equal(burst(&t, SLICE("anna"), 1000), RATE * RATE_LIMITER_BURST_MS / 1000);
	assert_int_equal(burst(&t, SLICE("anna"), 1000), 0);
	assert_int_equal(burst(&t, SLICE("bo"), 1000), 30);
	assert_int_equal(burst(&t, SLICE("anna"), 1100), 1);
	assert_int_equal(burst(&t, SLICE("anna"), 2100), RATE);
	assert_int_equal(burst(&t, SLICE("anna"), 900000), 30);
	message_rates_fini(&t);
}

static void what_waits_counts_and_what_is_refused_does_not(void **state)
{
	struct message_rates t;

	(void)state;
	message_rates_init(&t);
	(void)burst(&t, SLICE("anna"), 1000);
	assert_int_equal(message_rates_spend(&t, SLICE("anna"), RATE, 1000, 200), 100);
	assert_int_equal(message_rates_spend(&t, SLICE("anna"), RATE, 1000, 200), 200);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(message_rates_spend(&t, SLICE("anna"), RATE, 1000, 200), 300);
	assert_int_equal(message_rates_spend(&t, SLICE("anna"), RATE, 1250, 200), 50);
	message_rates_fini(&t);
}

static void those_who_are_silent_are_forgotten(void **state)
{
	struct message_rates t;

	(void)state;
	message_rates_init(&t);
	for (uint32_t i = 0; i < 100000; i++) {
		struct slice key = slice_of(&i, sizeof(i));

		assert_int_equal(message_rates_spend(&t, key, RATE, 1000 + i, 0), 0);
	}
	/* Those of the last tenth of a second, and some. */
	assert_in_range(message_rates_count(&t), 1, 250);
	message_rates_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_key_has_a_bucket_that_fills_again),
	    cmocka_unit_test(what_waits_counts_and_what_is_refused_does_not),
	    cmocka_unit_test(those_who_are_silent_are_forgotten),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
