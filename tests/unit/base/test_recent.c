/* What is remembered, and what is forgotten for it: rows of keys that come, and what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/list.h"
#include "base/recent.h"

/* Each sign is one key that is added; a text is "key number", so that no two are equal. `left`: the
 * keys that are remembered, the oldest first. */
static const struct {
	const char *name, *added;
	size_t max, max_per_key, max_bytes;
	const char *left;
} rows[] = {
    {"nothing", "", 4, 2, 10000, ""},
    {"all have a place", "abc", 4, 2, 10000, "abc"},
    {"the oldest of all makes place", "abcde", 4, 2, 10000, "bcde"},
    {"one who comes again pushes out itself alone", "abaaaa", 4, 2, 10000, "baa"},
    {"also where the list is full", "abcdddd", 4, 2, 10000, "bcdd"},
    {"one at most", "aabbc", 4, 1, 10000, "abc"},
    {"the bytes are a limit, too", "abcd", 4, 2, 2 * (sizeof(struct recent_entry) + 3) + 1, "cd"},
    {"what is larger than all is not taken", "ab", 4, 2, 8, ""},
};

static void add(struct recent *r, char key, unsigned number)
{
	struct buf text = {0};

	buf_printf(&text, "%c%02u", key, number % 100);
	recent_add(r, (uint64_t)key, number, buf_slice(&text), 1000 + number);
	buf_fini(&text);
}

/* The keys in the order of their last times. */
static void put_left(const struct recent *r, char out[32])
{
	const struct recent_entry *e;
	uint64_t last = 0;
	size_t len = 0;

	DL_FOREACH (r->entries, e) {
		assert_true(e->number > last);
		last = e->number;
		out[len++] = (char)e->key;
	}
	assert_int_equal(len, r->count);
	out[len] = '\0';
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct recent r;
		char left[32];

		recent_init(&r, rows[i].max, rows[i].max_per_key, rows[i].max_bytes);
		for (unsigned n = 0; rows[i].added[n] != '\0'; n++)
			add(&r, rows[i].added[n], n + 1);
		put_left(&r, left);
		if (strcmp(left, rows[i].left) != 0)
			fail_msg("%s: '%s' is left, not '%s'", rows[i].name, left, rows[i].left);
		assert_true(r.bytes <= rows[i].max_bytes);
		recent_fini(&r);
	}
}

static void test_counts(void **state)
{
	const struct recent_entry *last;
	struct recent r;

	(void)state;
	recent_init(&r, 4, 4, 10000);
	recent_count(&r, 1, SLICE("again"), 10);
	recent_count(&r, 2, SLICE("again"), 20);
	recent_count(&r, 1, SLICE("other"), 30);
	recent_count(&r, 1, SLICE("again"), 40);
	assert_int_equal(r.count, 3);
	last = r.entries->prev; /* the last one: it came again */
	assert_int_equal(last->count, 2);
	assert_int_equal(last->first_ms, 10);
	assert_int_equal(last->last_ms, 40);
	assert_int_equal(last->number, r.last_number);
	assert_int_equal(r.entries->key, 2);
	assert_int_equal(r.entries->count, 1);
	assert_true(recent_again(&r, 1, last->what, 50));
	assert_false(recent_again(&r, 2, r.entries->next->what, 50));
	recent_fini(&r);
	assert_int_equal(r.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
