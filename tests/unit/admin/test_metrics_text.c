/* The text formats of metrics: rows with what is written, in both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/metrics_text.h"
#include "base/latency.h"

static void require_text(struct buf *out, const char *wanted)
{
	buf_put_u8(out, '\0');
	assert_string_equal((const char *)out->data, wanted);
	buf_fini(out);
}

static void a_counter_has_two_names_in_open_metrics(void **state)
{
	struct buf plain = {0}, open = {0};
	struct metrics_text p = {.out = &plain}, o = {.out = &open, .is_open_metrics = true};

	(void)state;
	metrics_text_family(&p, METRIC_TYPE_COUNTER, "x_total", "Things.");
	metrics_text_number(&p, UINT64_MAX, NULL);
	metrics_text_end(&p);
	require_text(&plain, "# HELP x_total Things.\n# TYPE x_total counter\n"
	                     "x_total 18446744073709551615\n");
	metrics_text_family(&o, METRIC_TYPE_COUNTER, "x_total", "Things.");
	metrics_text_number(&o, 0, "a", "b", NULL);
	metrics_text_end(&o);
	require_text(&open, "# HELP x Things.\n# TYPE x counter\nx_total{a=\"b\"} 0\n# EOF\n");
}

static void labels_and_help_are_escaped(void **state)
{
	struct buf plain = {0}, open = {0};
	struct metrics_text p = {.out = &plain}, o = {.out = &open, .is_open_metrics = true};

	(void)state;
	metrics_text_family(&p, METRIC_TYPE_GAUGE, "x", "a \\ \"b\"");
	metrics_text_number(&p, 1, "file", "a\"b\\c\nd", "e", "", NULL);
	require_text(&plain, "# HELP x a \\\\ \"b\"\n# TYPE x gauge\n"
	                     "x{file=\"a\\\"b\\\\c\\nd\",e=\"\"} 1\n");
	metrics_text_family(&o, METRIC_TYPE_GAUGE, "x", "a \\ \"b\"");
	require_text(&open, "# HELP x a \\\\ \\\"b\\\"\n# TYPE x gauge\n");
}

static void a_histogram_is_cumulative(void **state)
{
	uint64_t cells[LATENCY_CELLS] = {0};
	struct buf out = {0};
	struct metrics_text t = {.out = &out};

	(void)state;
	cells[0] = 2;
	cells[2] = 3;
	cells[LATENCY_BOUNDS] = 1;
	metrics_text_family(&t, METRIC_TYPE_HISTOGRAM, "x_seconds", "Time.");
	metrics_text_histogram(&t, cells, 40016, 0.001);
	buf_put_u8(&out, '\0');
	assert_non_null(strstr((const char *)out.data, "x_seconds_bucket{le=\"0.001\"} 2\n"
	                                               "x_seconds_bucket{le=\"0.002\"} 2\n"
	                                               "x_seconds_bucket{le=\"0.004\"} 5\n"
	                                               "x_seconds_bucket{le=\"0.008\"} 5\n"));
	assert_non_null(strstr((const char *)out.data, "x_seconds_bucket{le=\"32.768\"} 5\n"
	                                               "x_seconds_bucket{le=\"+Inf\"} 6\n"
	                                               "x_seconds_sum 40.016\n"
	                                               "x_seconds_count 6\n"));
	buf_fini(&out);
}

static void a_cell_has_what_is_not_above_its_bound(void **state)
{
	static const struct {
		uint64_t units;
		unsigned cell;
	} rows[] = {{0, 0},     {1, 0},     {2, 1},      {3, 2},      {4, 2},          {5, 3},
	            {1024, 10}, {1025, 11}, {32768, 15}, {32769, 16}, {UINT64_MAX, 16}};
	_Atomic uint64_t counted[LATENCY_CELLS] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(latency_cell(rows[i].units), rows[i].cell);
	latency_count(counted, 3);
	latency_count(counted, 4);
	assert_int_equal(counted[2], 2);
	assert_int_equal(counted[LATENCY_SUM], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_counter_has_two_names_in_open_metrics),
	    cmocka_unit_test(labels_and_help_are_escaped),
	    cmocka_unit_test(a_histogram_is_cumulative),
	    cmocka_unit_test(a_cell_has_what_is_not_above_its_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
