/* Counts by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/keyed_counter.h"

static void each_key_for_itself(void **state)
{
	struct keyed_counter t;

	(void)state;
	keyed_counter_init(&t);
	assert_true(keyed_counter_take(&t, SLICE("a"), 2));
	assert_true(keyed_counter_take(&t, SLICE("a"), 2));
	assert_false(keyed_counter_take(&t, SLICE("a"), 2));
	assert_true(keyed_counter_take(&t, SLICE("a"), 3));
	assert_true(keyed_counter_take(&t, SLICE("ab"), 1));
	assert_true(keyed_counter_take(&t, SLICE_EMPTY, 1));
	assert_false(keyed_counter_take(&t, SLICE_EMPTY, 1));
	keyed_counter_give(&t, SLICE("a"));
	assert_false(keyed_counter_take(&t, SLICE("a"), 2));
	keyed_counter_give(&t, SLICE("a"));
	keyed_counter_give(&t, SLICE("a"));
	keyed_counter_give(&t, SLICE("ab"));
	keyed_counter_give(&t, SLICE_EMPTY);
	keyed_counter_fini(&t); /* nothing is left */
}

static void none_at_all(void **state)
{
	struct keyed_counter t;

	(void)state;
	keyed_counter_init(&t);
	assert_false(keyed_counter_take(&t, SLICE("a"), 0));
	keyed_counter_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_key_for_itself),
	    cmocka_unit_test(none_at_all),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
