/* When things are due. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/bench/schedule.h"

#define MS 1000000

static void constant_ones_have_the_same_distance(void **state)
{
	struct schedule s;

	(void)state;
	schedule_init(&s, &(struct schedule_options){.rate = 1000, .count = 3});
	for (uint64_t i = 0; i < 5000; i++) {
		assert_in_range(s.due_ns + 1, i * MS, i * MS + 2);
		assert_int_equal(s.source, i % 3);
		assert_int_equal(s.number, i);
		schedule_advance(&s);
	}
}

static void several_threads_interleave(void **state)
{
	struct schedule s;

	(void)state;
	schedule_init(&s, &(struct schedule_options){.rate = 500, .count = 1, .offset = 0.5});
	assert_int_equal(s.due_ns, MS);
	schedule_advance(&s);
	assert_int_equal(s.due_ns, 3 * MS);
}

/* Half of what the full rate would give comes while it grows, and the distances shrink. */
static void a_ramp_grows(void **state)
{
	struct schedule_options o = {.rate = 1000, .count = 1, .ramp_s = 2};
	struct schedule s;
	uint64_t last_ns = 0, last = UINT64_MAX / 2, in_ramp = 0;

	(void)state;
	schedule_init(&s, &o);
	for (schedule_advance(&s); s.due_ns < UINT64_C(4000000000); schedule_advance(&s)) {
		assert_true(s.due_ns > last_ns);
		assert_true(s.due_ns - last_ns <= last + 2);
		last = s.due_ns - last_ns;
		last_ns = s.due_ns;
		in_ramp += s.due_ns < UINT64_C(2000000000);
	}
	assert_in_range(in_ramp, 998, 1000);
	assert_in_range(last, MS - 2, MS + 2);
	assert_true(fabs(schedule_expected(&o, 2e9) - 1000) < 0.001);
	assert_true(fabs(schedule_expected(&o, 1e9) - 250) < 0.001);
	assert_true(fabs(schedule_expected(&o, 4e9) - 3000) < 0.001);
}

/* The distances of a Poisson process have the mean 1/rate and a deviation that is as large; every
 * source gets its share. */
static void chance_has_its_rate(void **state)
{
	enum { COUNT = 200000, SOURCES = 10 };
	struct schedule_options o = {
	    .arrivals = ARRIVALS_POISSON, .rate = 1000, .count = SOURCES, .seed = 7};
	double sum = 0, squares = 0, mean, deviation;
	uint64_t of_source[SOURCES] = {0}, last_ns = 0;
	struct schedule s;

	(void)state;
	schedule_init(&s, &o);
	for (unsigned i = 0; i < COUNT; i++) {
		double ms = (double)(s.due_ns - last_ns) / MS;

		sum += ms;
		squares += ms * ms;
		last_ns = s.due_ns;
		of_source[s.source]++;
		schedule_advance(&s);
	}
	mean = sum / COUNT;
	deviation = sqrt(squares / COUNT - mean * mean);
	assert_true(mean > 0.99 && mean < 1.01);
	assert_true(deviation > 0.98 && deviation < 1.02);
	for (unsigned i = 0; i < SOURCES; i++)
		assert_in_range(of_source[i], COUNT / SOURCES * 97 / 100,
		                COUNT / SOURCES * 103 / 100);
}

static void a_seed_repeats_itself(void **state)
{
	struct schedule_options o = {
	    .arrivals = ARRIVALS_POISSON, .rate = 10, .count = 5, .seed = 1};
	struct schedule a, b, other;
	unsigned same = 0;

	(void)state;
	schedule_init(&a, &o);
	schedule_init(&b, &o);
	o.seed = 2;
	schedule_init(&other, &o);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(a.due_ns, b.due_ns);
		assert_int_equal(a.source, b.source);
		same += a.due_ns == other.due_ns;
		schedule_advance(&a);
		schedule_advance(&b);
		schedule_advance(&other);
	}
	assert_int_equal(same, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(constant_ones_have_the_same_distance),
	    cmocka_unit_test(several_threads_interleave),
	    cmocka_unit_test(a_ramp_grows),
	    cmocka_unit_test(chance_has_its_rate),
	    cmocka_unit_test(a_seed_repeats_itself),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
