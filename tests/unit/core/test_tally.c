/* Counts by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "core/tally.h"

static void each_key_for_itself(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t);
	assert_true(tally_take(&t, SLICE("a"), 2));
	assert_true(tally_take(&t, SLICE("a"), 2));
	assert_false(tally_take(&t, SLICE("a"), 2));
	assert_true(tally_take(&t, SLICE("a"), 3));
	assert_true(tally_take(&t, SLICE("ab"), 1));
	assert_true(tally_take(&t, SLICE_EMPTY, 1));
	assert_false(tally_take(&t, SLICE_EMPTY, 1));
	tally_give(&t, SLICE("a"));
	assert_false(tally_take(&t, SLICE("a"), 2));
	tally_give(&t, SLICE("a"));
	tally_give(&t, SLICE("a"));
	tally_give(&t, SLICE("ab"));
	tally_give(&t, SLICE_EMPTY);
	tally_fini(&t); /* nothing is left */
}

static void none_at_all(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t);
	assert_false(tally_take(&t, SLICE("a"), 0));
	tally_fini(&t);
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
