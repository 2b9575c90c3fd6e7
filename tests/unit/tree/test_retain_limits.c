/* How much is retained and by whom: counted through puts, replacements, deletions, expiry and the
 * end of a user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tree/retain.h"
#include "tree/retain_limits.h"
#include "tree/retain_tree.h"

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))
#define PLENTY      1000000

static struct origin *origin_of(const char *user)
{
	struct slice key = slice_of_str(user);

	return origin_new(false, 1, key, key, SLICE("client"));
}

static struct msg *message(const char *user, const char *topic, const char *payload,
                           uint64_t expires_ms)
{
	struct origin *origin = origin_of(user);
	struct msg_parts parts = {.retain = true,
	                          .expires_ms = expires_ms,
	                          .topic = slice_of_str(topic),
	                          .payload = slice_of_str(payload)};
	struct msg *m = msg_new(origin, &parts);

	origin_unref(&origin);
	return m;
}

static void put_until(struct retain *r, const char *user, const char *topic, uint64_t expires_ms)
{
	struct msg *m = message(user, topic, "value", expires_ms);
	struct retain_change c;

	retain_begin(r, 0, slice_of_str(topic), 0, &c);
	retain_put(&c, m);
	retain_end(&c);
	msg_unref(&m);
}

static void put(struct retain *r, const char *user, const char *topic)
{
	put_until(r, user, topic, MSG_NEVER);
}

static void erase(struct retain *r, const char *topic)
{
	struct retain_change c;

	retain_begin(r, 0, slice_of_str(topic), 0, &c);
	retain_delete(&c, 0);
	retain_end(&c);
}

static void expect_values(struct retain *r, const char *user, uint32_t want)
{
	assert_int_equal(topic_owners_values(&r->owners, slice_of_str(user)), want);
}

static void value_counts_for_its_writer(void **state)
{
	struct retain *r = retain_new(1);

	(void)state;
	expect_values(r, "anna", 0);
	put(r, "anna", "a");
	put(r, "anna", "b");
	put(r, "anna", "b");
	put(r, "bertil", "c");
	expect_values(r, "anna", 2);
	expect_values(r, "bertil", 1);
	put(r, "bertil", "b");
	expect_values(r, "anna", 1);
	expect_values(r, "bertil", 2);
	erase(r, "b");
	erase(r, "none");
	expect_values(r, "bertil", 1);
	retain_free(r);
}

static void expired_value_counts_for_nobody(void **state)
{
	struct retain *r = retain_new(1);

	(void)state;
	put_until(r, "anna", "a", 1000);
	put_until(r, "anna", "b", 5000);
	retain_expire(r, 1000, 100);
	expect_values(r, "anna", 1);
	retain_free(r);
}

static void user_added_again_starts_at_zero(void **state)
{
	struct retain *r = retain_new(1);

	(void)state;
	put(r, "anna", "a");
	put(r, "anna", "b");
	retain_release_owner(r, SLICE("anna"));
	expect_values(r, "anna", 0);
	put(r, "anna", "a");
	put(r, "anna", "a");
	expect_values(r, "anna", 1);
	erase(r, "b");
	expect_values(r, "anna", 1);
	retain_free(r);
}

static void value_of_the_broker_counts_for_nobody(void **state)
{
	struct retain *r = retain_new(1);

	(void)state;
	put(r, "", "$SYS/a");
	put(r, "anna", "$SYS/a");
	expect_values(r, "anna", 1);
	put(r, "", "$SYS/a");
	expect_values(r, "anna", 0);
	retain_free(r);
}

/* Anna has a and b, Bertil has c; all with five bytes. */
static void value_above_each_limit_names_the_limit(void **state)
{
	struct msg *m = message("anna", "a", "value", MSG_NEVER);
	const uint64_t size = retain_tree_cost(m), full = 3 * size;
	const struct {
		const char *name, *user, *topic, *payload;
		struct retain_limits limits;
		const char *want; /* NULL: there is space */
	} rows[] = {
	    {"room", "anna", "d", "x", {4, 3, PLENTY}, NULL},
	    {"all", "anna", "d", "x", {3, 3, PLENTY}, "limits.retained_messages is reached"},
	    {"of hers", "anna", "d", "x", {4, 2, PLENTY}, "limits.retained_per_user is reached"},
	    {"of his", "bertil", "d", "x", {4, 2, PLENTY}, NULL},
	    {"a new user", "cecilia", "d", "x", {4, 1, PLENTY}, NULL},
	    {"bytes", "anna", "d", "x", {4, 3, full}, "limits.retained_bytes is reached"},
	    {"bytes to spare", "anna", "d", "value", {4, 3, full + size}, NULL},
	    {"replaced", "anna", "a", "other", {1, 1, full}, NULL},
	    {"replaced by less", "anna", "a", "x", {1, 1, 1}, NULL},
	    {"replaced by more",
	     "anna",
	     "a",
	     "values",
	     {1, 1, full},
	     "limits.retained_bytes is reached"},
	    {"replaced by another", "bertil", "a", "other", {1, 1, full}, NULL},
	    {"none allowed any more",
	     "anna",
	     "d",
	     "x",
	     {1, 1, 1},
	     "limits.retained_bytes is reached"},
	    {"the broker's", "", "d", "x", {1, 1, PLENTY}, NULL},
	};
	struct retain *r = retain_new(1);

	(void)state;
	msg_unref(&m);
	put(r, "anna", "a");
	put(r, "anna", "b");
	put(r, "bertil", "c");
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct retain_change c;
		const char *got;

		m = message(rows[i].user, rows[i].topic, rows[i].payload, MSG_NEVER);
		retain_begin(r, 0, slice_of_str(rows[i].topic), 0, &c);
		got = retain_limits_exceeded(&c, m, &rows[i].limits);
		retain_end(&c);
		msg_unref(&m);
		if ((got == NULL) != (rows[i].want == NULL) ||
		    (got != NULL && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].name, got == NULL ? "room" : got);
	}
	retain_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(value_counts_for_its_writer),
	    cmocka_unit_test(expired_value_counts_for_nobody),
	    cmocka_unit_test(user_added_again_starts_at_zero),
	    cmocka_unit_test(value_of_the_broker_counts_for_nobody),
	    cmocka_unit_test(value_above_each_limit_names_the_limit),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
