/* Percentiles from buckets: exact where numbers are small, close where they are large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

#define PERCENT HISTOGRAM_PERCENT

static void nothing_came(void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, HISTOGRAM_COARSE);
	assert_int_equal(histogram_percentile(&h, 99 * PERCENT), 0);
	assert_int_equal(histogram_mean(&h), 0);
	histogram_fini(&h);
}

static void small_numbers_are_exact(void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, HISTOGRAM_COARSE);
	for (uint64_t i = 1; i <= 10; i++)
		histogram_add(&h, i);
	assert_int_equal(histogram_percentile(&h, 1 * PERCENT), 1);
	assert_int_equal(histogram_percentile(&h, 50 * PERCENT), 5);
	assert_int_equal(histogram_percentile(&h, 90 * PERCENT), 9);
	assert_int_equal(histogram_percentile(&h, 91 * PERCENT), 10);
	assert_int_equal(histogram_percentile(&h, 100 * PERCENT), 10);
	assert_int_equal(histogram_mean(&h), 5);
	assert_int_equal(h.max, 10);
	histogram_clear(&h);
	assert_int_equal(h.total, 0);
	assert_int_equal(histogram_percentile(&h, 50 * PERCENT), 0);
	histogram_fini(&h);
}

static const struct {
	const char *name;
	uint64_t value;
} magnitudes[] = {
    {"zero", 0},
    {"the last that is exact", 15},
    {"the first power of two", 16},
    {"the last of a width", 31},
    {"the first of twice the width", 32},
    {"odd", 1000001},
    {"below a power of two", ((uint64_t)1 << 40) - 1},
    {"a power of two", (uint64_t)1 << 40},
    {"half of everything", (uint64_t)1 << 63},
    {"the largest", UINT64_MAX},
};

static void check_magnitudes(enum histogram_precision precision, uint64_t part)
{
	for (size_t i = 0; i < sizeof(magnitudes) / sizeof(magnitudes[0]); i++) {
		uint64_t value = magnitudes[i].value, got, off;
		struct histogram h;

		histogram_init(&h, precision);
		histogram_add(&h, value);
		histogram_add(
		    &h, UINT64_MAX); /* else the largest value would hide what a bucket says */
		got = histogram_percentile(&h, 50 * PERCENT);
		off = got > value ? got - value : value - got;
		if (off > value / part)
			fail_msg("%s: %llu for %llu", magnitudes[i].name, (unsigned long long)got,
			         (unsigned long long)value);
		histogram_fini(&h);
	}
}

static void every_magnitude_comes_back(void **state)
{
	(void)state;
	check_magnitudes(HISTOGRAM_COARSE, 32);
}

static void three_digits_are_exact(void **state)
{
	(void)state;
	check_magnitudes(HISTOGRAM_FINE, 2048);
}

static void the_tail_is_told_apart(void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, HISTOGRAM_FINE);
	for (uint64_t i = 1; i <= 10000; i++)
		histogram_add(&h, i < 9991 ? 100 : i);
	assert_int_equal(histogram_percentile(&h, 99900), 100);
	assert_in_range(histogram_percentile(&h, 99910), 9986, 9996);
	assert_in_range(histogram_percentile(&h, 99990), 9994, 10000);
	assert_int_equal(histogram_percentile(&h, 100 * PERCENT), 10000);
	histogram_fini(&h);
}

/* Two threads count for themselves, and their sum is what one would have counted. */
static void parts_are_merged(void **state)
{
	struct histogram parts[2], whole;

	(void)state;
	histogram_init(&whole, HISTOGRAM_FINE);
	histogram_init(&parts[0], HISTOGRAM_FINE);
	histogram_init(&parts[1], HISTOGRAM_FINE);
	for (uint64_t i = 0; i < 5000; i++) {
		histogram_add(&parts[i % 2], i * i);
		histogram_add(&whole, i * i);
	}
	histogram_merge(&parts[0], &parts[1]);
	assert_int_equal(parts[0].total, whole.total);
	assert_int_equal(parts[0].max, whole.max);
	assert_int_equal(histogram_mean(&parts[0]), histogram_mean(&whole));
	for (uint64_t p = 1; p <= 100; p++)
		assert_int_equal(histogram_percentile(&parts[0], p * PERCENT),
		                 histogram_percentile(&whole, p * PERCENT));
	histogram_fini(&whole);
	histogram_fini(&parts[0]);
	histogram_fini(&parts[1]);
}

static void a_rare_long_one_is_above_its_percentile(void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, HISTOGRAM_COARSE);
	for (unsigned i = 0; i < 990; i++)
		histogram_add(&h, 200);
	for (unsigned i = 0; i < 10; i++)
		histogram_add(&h, 100000);
	assert_in_range(histogram_percentile(&h, 99 * PERCENT), 194, 206);
	assert_in_range(histogram_percentile(&h, 100 * PERCENT), 96875, 103125);
	histogram_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_came),
	    cmocka_unit_test(small_numbers_are_exact),
	    cmocka_unit_test(every_magnitude_comes_back),
	    cmocka_unit_test(three_digits_are_exact),
	    cmocka_unit_test(the_tail_is_told_apart),
	    cmocka_unit_test(parts_are_merged),
	    cmocka_unit_test(a_rare_long_one_is_above_its_percentile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
