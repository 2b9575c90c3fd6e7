/* Load averages, on a clock that the test moves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/load_average.h"

static void near(double have, double want)
{
	if (fabs(have - want) > 0.005)
		fail_msg("%.4f is not %.4f", have, want);
}

/* So many seconds of so much a second, looked at every so often. */
static void run(struct load_average *l, unsigned seconds, unsigned per_second, unsigned every_ms)
{
	uint64_t start = l->total;

	for (uint64_t at = every_ms; at <= (uint64_t)seconds * 1000; at += every_ms)
		load_average_update(l, start + at * per_second / 1000, every_ms);
}

static void average_at_a_steady_rate_approaches_it(void **state)
{
	struct load_average l = {0};

	(void)state;
	run(&l, 60, 10, 10000);
	near(l.per_minute[LOAD_1_MIN], 600 * (1 - exp(-1)));
	near(l.per_minute[LOAD_5_MIN], 600 * (1 - exp(-1.0 / 5)));
	near(l.per_minute[LOAD_15_MIN], 600 * (1 - exp(-1.0 / 15)));
	run(&l, 4 * 3600, 10, 10000);
	for (int i = 0; i < LOAD_SPANS; i++)
		near(l.per_minute[i], 600);
}

static void average_without_events_fades(void **state)
{
	struct load_average l = {0};

	(void)state;
	run(&l, 4 * 3600, 10, 10000);
	run(&l, 300, 0, 10000);
	near(l.per_minute[LOAD_1_MIN], 600 * exp(-5));
	near(l.per_minute[LOAD_5_MIN], 600 * exp(-1));
	near(l.per_minute[LOAD_15_MIN], 600 * exp(-1.0 / 3));
}

/* A late timer changes nothing: only time counts. */
static void average_at_any_sampling_interval_is_the_same(void **state)
{
	struct load_average often = {0}, seldom = {0};

	(void)state;
	run(&often, 120, 10, 100);
	run(&seldom, 120, 10, 40000);
	for (int i = 0; i < LOAD_SPANS; i++)
		near(often.per_minute[i], seldom.per_minute[i]);
}

static void average_without_time_passing_is_unchanged(void **state)
{
	struct load_average l = {0};

	(void)state;
	load_average_update(&l, 1000, 0);
	near(l.per_minute[LOAD_1_MIN], 0);
	load_average_update(&l, 1000, 60000); /* and what came meanwhile is not lost */
	near(l.per_minute[LOAD_1_MIN], 1000 * (1 - exp(-1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(average_at_a_steady_rate_approaches_it),
	    cmocka_unit_test(average_without_events_fades),
	    cmocka_unit_test(average_at_any_sampling_interval_is_the_same),
	    cmocka_unit_test(average_without_time_passing_is_unchanged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
