/* When the figures say more about the generator than about the broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/bench/self_check.h"

#define FINE .due = 1000, .begun = 1000

static const struct self_check fast = {FINE, .rate = 50000, .busy = 1, .late_p99_ns = 9000000};
static const struct self_check quiet = {FINE, .busy = 0.2, .late_p99_ns = 20000};
static const struct self_check slow = {
    .due = 1000, .begun = 600, .busy = 0.97, .late_p99_ns = 5000000};

static const struct {
	const char *name;
	struct self_check c;
	const char *want; /* "": nothing */
} rows[] = {
    {"all is well", {FINE, .busy = 0.5, .waited = 0.02}, ""},
    {"busy",
     {FINE, .busy = 0.93},
     "one of its threads used 93% of a core: lower the rate, or use more --threads"},
    {"not quite busy", {FINE, .busy = 0.89}, ""},
    {"kept waiting",
     {FINE, .waited = 0.24},
     "a thread of it was ready to run but waited for a core 24% of the time: other processes, the "
     "broker perhaps, use the same cores"},
    {"late",
     {FINE, .late_p99_ns = 2500000, .latency_p99_ns = 4000000},
     "one in a hundred was begun 2.5 ms or more after it was due"},
    {"late, but the broker takes far longer",
     {FINE, .late_p99_ns = 2500000, .latency_p99_ns = 400000000},
     ""},
    {"late, but less than a millisecond",
     {FINE, .late_p99_ns = 900000, .latency_p99_ns = 900000},
     ""},
    {"late, and nobody hears it",
     {FINE, .late_p99_ns = 1000000},
     "one in a hundred was begun 1.0 ms or more after it was due"},
    {"missed", {.due = 1000, .begun = 900}, "of 1000 that were due it came to only 900"},
    {"nearly all", {.due = 1000, .begun = 990}, ""},
    {"as fast as with a null sink",
     {FINE, .rate = 40000, .alone = &fast},
     "with a null sink in place of the broker it comes to 50000 a second, and here it came to "
     "40000"},
    {"the broker is slower", {FINE, .rate = 39999, .alone = &fast}, ""},
    {"a null sink sees nothing", {FINE, .alone = &quiet}, ""},
    {"also late with a null sink, but the broker takes far longer",
     {FINE, .latency_p99_ns = 900000000, .alone = &slow},
     "also with a null sink in place of the broker, one of its threads used 97% of a core: lower "
     "the rate, or use more --threads, and of 1000 that were due it came to only 600"},
    {"late with a null sink",
     {FINE, .latency_p99_ns = 6000000, .alone = &(struct self_check){FINE, .late_p99_ns = 5000000}},
     "also with a null sink in place of the broker, one in a hundred was begun 5.0 ms or more "
     "after it was due"},
    {"two reasons",
     {.due = 1000, .busy = 1, .begun = 10},
     "one of its threads used 100% of a core: lower the rate, or use more --threads; of 1000 that "
     "were due it came to only 10"},
};

static void every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf got = {0};
		bool found = self_check(&rows[i].c, &got);

		if (found != (rows[i].want[0] != '\0') ||
		    !slice_equal(buf_slice(&got), slice_of_str(rows[i].want)))
			fail_msg("%s: '%.*s'", rows[i].name, (int)got.len, (const char *)got.data);
		buf_fini(&got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
