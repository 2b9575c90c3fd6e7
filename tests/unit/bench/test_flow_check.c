/* What is told of a flow by the numbers that came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/bench/flow_check.h"

#define END UINT32_MAX

static const struct {
	const char *name;
	uint32_t came[8]; /* ends with END */
	struct flow_counts want;
} rows[] = {
    {"nothing", {END}, {0, 0, 0}},
    {"all in order", {0, 1, 2, END}, {3, 0, 0}},
    {"one is missing", {0, 2, 3, END}, {3, 0, 0}},
    {"one came late", {0, 2, 1, 3, END}, {4, 0, 1}},
    {"one came twice", {0, 1, 1, 2, END}, {3, 1, 0}},
    {"a late one came twice", {0, 2, 1, 1, END}, {3, 1, 1}},
    {"the first came late", {1, 0, END}, {2, 0, 1}},
    {"it goes on after a long gap", {0, 1000000, 1000001, 1000000, END}, {3, 1, 0}},
    {"late after a long gap", {0, 1000000, 999999, END}, {3, 0, 1}},
    {"the oldest of the window", {FLOW_WINDOW, 0, END}, {1, 1, 0}},
    {"the oldest that is told apart", {FLOW_WINDOW, 1, END}, {2, 0, 1}},
    {"a place of the window is used again", {0, FLOW_WINDOW, FLOW_WINDOW, END}, {2, 1, 0}},
    {"and what was there is forgotten",
     {5, FLOW_WINDOW + 4, FLOW_WINDOW + 6, FLOW_WINDOW + 5, END},
     {4, 0, 1}},
};

static void every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_counts got = {0};
		struct flow_check f = {0};

		for (size_t n = 0; rows[i].came[n] != END; n++)
			flow_check_note(&f, rows[i].came[n], &got);
		if (got.unique != rows[i].want.unique ||
		    got.duplicates != rows[i].want.duplicates ||
		    got.disordered != rows[i].want.disordered)
			fail_msg("%s: %u unique, %u duplicates, %u disordered", rows[i].name,
			         (unsigned)got.unique, (unsigned)got.duplicates,
			         (unsigned)got.disordered);
	}
}

/* Every second one first, then the others, for longer than the window. */
static void a_long_flow(void **state)
{
	struct flow_counts got = {0};
	struct flow_check f = {0};

	(void)state;
	for (uint32_t base = 0; base < 100 * FLOW_WINDOW; base += 64) {
		for (uint32_t n = 0; n < 64; n += 2)
			flow_check_note(&f, base + n, &got);
		for (uint32_t n = 1; n < 64; n += 2)
			flow_check_note(&f, base + n, &got);
	}
	assert_int_equal(got.unique, 100 * FLOW_WINDOW);
	assert_int_equal(got.duplicates, 0);
	assert_int_equal(got.disordered, 100 * FLOW_WINDOW / 64 * 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row),
	    cmocka_unit_test(a_long_flow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
