/* Percentiles from buckets: exact where numbers are small, close where they are large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

static void nothing_came(void **state)
{
	struct histogram h = {0};

	(void)state;
	assert_int_equal(histogram_percentile(&h, 99), 0);
}

static void small_numbers_are_exact(void **state)
{
	struct histogram h = {0};

	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		histogram_add(&h, i);
	assert_int_equal(histogram_percentile(&h, 1), 1);
	assert_int_equal(histogram_percentile(&h, 50), 5);
	assert_int_equal(histogram_percentile(&h, 90), 9);
	assert_int_equal(histogram_percentile(&h, 91), 10);
	assert_int_equal(histogram_percentile(&h, 100), 10);
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

static void every_magnitude_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(magnitudes) / sizeof(magnitudes[0]); i++) {
		uint64_t value = magnitudes[i].value, got, off;
		struct histogram h = {0};

		histogram_add(&h, value);
		got = histogram_percentile(&h, 50);
		off = got > value ? got - value : value - got;
		if (off > value / 32)
			fail_msg("%s: %llu for %llu", magnitudes[i].name, (unsigned long long)got,
			         (unsigned long long)value);
	}
}

static void a_rare_long_one_is_above_its_percentile(void **state)
{
	struct histogram h = {0};

	(void)state;
	for (unsigned i = 0; i < 990; i++)
		histogram_add(&h, 200);
	for (unsigned i = 0; i < 10; i++)
		histogram_add(&h, 100000);
	assert_in_range(histogram_percentile(&h, 99), 194, 206);
	assert_in_range(histogram_percentile(&h, 100), 96875, 103125);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_came),
	    cmocka_unit_test(small_numbers_are_exact),
	    cmocka_unit_test(every_magnitude_comes_back),
	    cmocka_unit_test(a_rare_long_one_is_above_its_percentile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
