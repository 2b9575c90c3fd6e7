/* The one rule of refusing: rows of how full, whose, how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "worker/quota_rule.h"

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))

struct row {
	const char *name;
	struct quota_rule rule;
	uint64_t paid, bytes;
	bool drains;
	enum quota_verdict want;
};

static const struct row rows[] = {
    {"below three quarters whoever", {160, 100, 40, 10}, 100, 20, false, QUOTA_ALLOWED},
    {"the last byte below", {160, 119, 40, 10}, 100, 1, false, QUOTA_ALLOWED},
    {"above, over his share", {160, 119, 40, 10}, 100, 2, false, QUOTA_OVER_SHARE},
    {"above, within his share", {160, 119, 40, 10}, 20, 20, false, QUOTA_ALLOWED},
    {"above, up to his share and no more", {160, 125, 40, 10}, 20, 21, false, QUOTA_OVER_SHARE},
    {"above, no shares", {160, 125, 0, 10}, 100, 20, false, QUOTA_ALLOWED},
    {"up to the reserve", {160, 140, 40, 10}, 0, 10, false, QUOTA_ALLOWED},
    {"into the reserve", {160, 140, 40, 10}, 0, 11, false, QUOTA_FULL},
    {"full is full for who is over his share too", {160, 150, 40, 10}, 100, 1, false, QUOTA_FULL},
    {"the reserve is for who drains", {160, 150, 40, 10}, 0, 10, true, QUOTA_ALLOWED},
    {"who drains needs no share", {160, 130, 40, 10}, 100, 10, true, QUOTA_ALLOWED},
    {"but leaves the others as much as the reserve", {160, 130, 40, 10}, 100, 11, true, QUOTA_FULL},
    {"but not above the whole", {160, 150, 40, 10}, 0, 11, true, QUOTA_FULL},
    {"above the whole already", {160, 200, 40, 10}, 0, 1, true, QUOTA_FULL},
    {"no whole, no share", {0, 1000, 0, 0}, 1000, 1000, false, QUOTA_ALLOWED},
    {"no whole, a share", {0, 1000, 40, 0}, 40, 1, false, QUOTA_OVER_SHARE},
    {"no whole, within the share", {0, 1000, 40, 0}, 39, 1, false, QUOTA_ALLOWED},
    {"over by a lowered key", {0, 1000, 40, 0}, 90, 0, false, QUOTA_OVER_SHARE},
    {"no sum overflows", {160, 10, 40, 10}, 10, UINT64_MAX, false, QUOTA_FULL},
};

static void request_in_each_row_is_admitted_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *r = &rows[i];

		print_message("# %s\n", r->name);
		assert_int_equal(quota_rule_check(&r->rule, r->paid, r->bytes, r->drains), r->want);
	}
}

static void share_of_a_user_follows_its_setting(void **state)
{
	(void)state;
	assert_int_equal(quota_rule_share(CONF_SHARE_AUTO, 160), 40);
	assert_int_equal(quota_rule_share(CONF_SHARE_AUTO, 0), 0);
	assert_int_equal(quota_rule_share(7, 160), 7);
	assert_int_equal(quota_rule_share(7, 0), 7);
	assert_int_equal(quota_rule_share(0, 160), 0);
}

static void reserve_and_threshold_follow_the_limit(void **state)
{
	(void)state;
	assert_int_equal(quota_rule_reserve(160), 10);
	assert_int_equal(quota_rule_reserve((uint64_t)1 << 30), 4 << 20);
	assert_int_equal(quota_rule_threshold(160), 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_in_each_row_is_admitted_or_refused),
	    cmocka_unit_test(share_of_a_user_follows_its_setting),
	    cmocka_unit_test(reserve_and_threshold_follow_the_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
