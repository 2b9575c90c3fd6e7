/* Turns of source addresses, and their delays.  Time is a number that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/hash_queue.h"
#include "base/array.h"
#include "base/hash.h"

#define A SLICE("\x0a\x00\x00\x01")
#define B SLICE("\x0a\x00\x00\x02")
#define C SLICE("\x0a\x00\x00\x03")

static void finish(struct hash_queue *queue, struct hash_request *q,
                   enum hash_queue_outcome outcome, uint64_t now_ms)
{
	assert_non_null(q);
	hash_queue_done(queue, q, outcome, now_ms);
}

static void sources_take_turns(void **state)
{
	struct hash_request a[3] = {0}, b[2] = {0}, c = {0};
	struct hash_request *want[] = {&a[0], &b[0], &c, &a[1], &b[1], &a[2]};
	struct hash_queue queue = {0};
	uint64_t wait_ms;

	(void)state;
	for (int i = 0; i < 3; i++)
		hash_queue_put(&queue, &a[i], A, 0);
	for (int i = 0; i < 2; i++)
		hash_queue_put(&queue, &b[i], B, 0);
	hash_queue_put(&queue, &c, C, 0);
	for (int i = 0; i < 6; i++) {
		struct hash_request *q = hash_queue_take(&queue, 0, &wait_ms);

		assert_ptr_equal(q, want[i]);
		finish(&queue, q, HASH_QUEUE_RIGHT, 0);
	}
	assert_null(hash_queue_take(&queue, 0, &wait_ms));
	assert_true(wait_ms == UINT64_MAX);
	assert_int_equal(hash_queue_source_count(&queue), 0);
	hash_queue_fini(&queue);
}

static void delay_doubles_with_failures_and_ends_with_success(void **state)
{
	static const uint64_t delays[] = {250, 500, 1000, 2000, 4000, 8000, 8000};
	struct hash_queue queue = {0};
	struct hash_request q = {0};
	uint64_t wait_ms, now_ms = 5;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		hash_queue_put(&queue, &q, A, now_ms);
		finish(&queue, hash_queue_take(&queue, now_ms, &wait_ms), HASH_QUEUE_WRONG, now_ms);
		hash_queue_put(&queue, &q, A, now_ms);
		assert_null(hash_queue_take(&queue, now_ms + delays[i] - 1, &wait_ms));
		assert_int_equal(wait_ms, 1);
		assert_true(hash_queue_remove(&queue, &q));
		now_ms += delays[i];
	}
	hash_queue_put(&queue, &q, A, now_ms);
	finish(&queue, hash_queue_take(&queue, now_ms, &wait_ms), HASH_QUEUE_SKIPPED, now_ms);
	assert_int_equal(hash_queue_source_count(&queue), 1);
	hash_queue_put(&queue, &q, A, now_ms);
	finish(&queue, hash_queue_take(&queue, now_ms, &wait_ms), HASH_QUEUE_RIGHT, now_ms);
	assert_int_equal(hash_queue_source_count(&queue), 0);
	hash_queue_put(&queue, &q, A, now_ms);
	finish(&queue, hash_queue_take(&queue, now_ms, &wait_ms), HASH_QUEUE_WRONG, now_ms);
	hash_queue_put(&queue, &q, A, now_ms);
	assert_null(hash_queue_take(&queue, now_ms, &wait_ms));
	assert_int_equal(wait_ms, 250);
	assert_ptr_equal(hash_queue_pop(&queue), &q);
	hash_queue_fini(&queue);
}

/* SCRAM's failures and those of hashes are one count, and what waits is let through one by one. */
static void check_without_a_hash_is_delayed_after_failure(void **state)
{
	struct hash_queue queue = {0};
	struct hash_request q = {0};
	uint64_t wait_ms = 0;

	(void)state;
	assert_true(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 0, &wait_ms));
	hash_queue_note(&queue, A, SLICE_EMPTY, HASH_QUEUE_RIGHT, 0);
	assert_int_equal(hash_queue_source_count(&queue), 0);
	hash_queue_note(&queue, A, SLICE_EMPTY, HASH_QUEUE_WRONG, 0);
	assert_true(hash_queue_pass(&queue, B, HASH_QUEUE_WRONG, 0, &wait_ms));
	assert_false(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 100, &wait_ms));
	assert_int_equal(wait_ms, 150);
	assert_true(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 250, &wait_ms));
	assert_false(
	    hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 250, &wait_ms)); /* the next of a crowd */
	assert_int_equal(wait_ms, 250);
	hash_queue_note(&queue, A, SLICE_EMPTY, HASH_QUEUE_WRONG, 250);
	assert_false(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 250, &wait_ms));
	assert_int_equal(wait_ms, 500);

	hash_queue_put(&queue, &q, A, 250);
	assert_null(hash_queue_take(&queue, 250, &wait_ms));
	assert_int_equal(wait_ms, 500);
	hash_queue_note(&queue, A, SLICE_EMPTY, HASH_QUEUE_RIGHT, 300);
	finish(&queue, hash_queue_take(&queue, 300, &wait_ms), HASH_QUEUE_WRONG, 300);
	assert_false(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 300, &wait_ms));
	assert_int_equal(wait_ms, 250);
	hash_queue_note(&queue, A, SLICE_EMPTY, HASH_QUEUE_RIGHT, 600);
	assert_int_equal(hash_queue_source_count(&queue), 0);
	hash_queue_fini(&queue);
}

/* One hash, or one check without a hash, of `user`. */
static void try_as(struct hash_queue *queue, bool by_hash, const char *user,
                   enum hash_queue_outcome outcome, uint64_t now_ms)
{
	char name[16];
	struct hash_request q = {.user = name};
	uint64_t wait_ms;

	(void)snprintf(name, sizeof(name), "%s", user);
	if (by_hash) {
		hash_queue_put(queue, &q, A, now_ms);
		finish(queue, hash_queue_take(queue, now_ms, &wait_ms), outcome, now_ms);
		return;
	}
	assert_true(hash_queue_pass(queue, A, outcome, now_ms, &wait_ms));
	hash_queue_note(queue, A, slice_of_str(user), outcome, now_ms);
}

static uint64_t delay_now(struct hash_queue *queue, uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	return hash_queue_pass(queue, A, HASH_QUEUE_RIGHT, now_ms, &wait_ms) ? 0 : wait_ms;
}

/* Who logs in with an account of their own between two guesses at another's password gets no more
 * guesses, whichever way they log in and guess. */
static void success_cancels_failures_of_its_user_only(void **state)
{
	static const uint64_t delays[] = {250, 500, 1000, 2000, 4000, 8000, 8000};

	(void)state;
	for (unsigned ways = 0; ways < 4; ways++) {
		struct hash_queue queue = {0};
		uint64_t now_ms = 5;

		for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
			try_as(&queue, ways & 1, "anna", HASH_QUEUE_WRONG, now_ms);
			assert_int_equal(delay_now(&queue, now_ms), delays[i]);
			now_ms += delays[i];
			try_as(&queue, ways & 2, "eve", HASH_QUEUE_RIGHT, now_ms);
			assert_int_equal(delay_now(&queue, now_ms), 0);
		}
		/* eve mistyped, too: that is forgiven, and anna's stays */
		try_as(&queue, ways & 1, "eve", HASH_QUEUE_WRONG, now_ms);
		now_ms += DELAY_LAST_MS;
		try_as(&queue, ways & 2, "eve", HASH_QUEUE_RIGHT, now_ms);
		try_as(&queue, ways & 1, "anna", HASH_QUEUE_WRONG, now_ms);
		assert_int_equal(delay_now(&queue, now_ms), DELAY_LAST_MS);
		/* anna herself ends it */
		now_ms += DELAY_LAST_MS;
		try_as(&queue, ways & 2, "anna", HASH_QUEUE_RIGHT, now_ms);
		assert_int_equal(hash_queue_source_count(&queue), 0);
		hash_queue_fini(&queue);
	}
}

/* One of a wrong device's neighbours is as quick as the delay lets the first of them, and the rest
 * follow at once. */
static void success_does_not_delay_the_next_request(void **state)
{
	struct hash_request good[3] = {0};
	struct hash_queue queue = {0};
	uint64_t wait_ms;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		try_as(&queue, false, "wrong", HASH_QUEUE_WRONG, i * DELAY_LAST_MS);
	for (int i = 0; i < 3; i++)
		hash_queue_put(&queue, &good[i], A, 9 * DELAY_LAST_MS);
	assert_null(hash_queue_take(&queue, 10 * DELAY_LAST_MS - 1, &wait_ms));
	for (int i = 0; i < 3; i++)
		finish(&queue, hash_queue_take(&queue, 10 * DELAY_LAST_MS, &wait_ms),
		       HASH_QUEUE_RIGHT, 10 * DELAY_LAST_MS);
	for (int i = 0; i < 3; i++)
		assert_true(
		    hash_queue_pass(&queue, A, HASH_QUEUE_RIGHT, 10 * DELAY_LAST_MS, &wait_ms));
	assert_true(hash_queue_pass(&queue, A, HASH_QUEUE_WRONG, 10 * DELAY_LAST_MS, &wait_ms));
	assert_false(hash_queue_pass(&queue, A, HASH_QUEUE_RIGHT, 10 * DELAY_LAST_MS, &wait_ms));
	hash_queue_fini(&queue);
}

/* A device with a wrong password that tries again as soon as it was refused: its neighbours get the
 * next turn, not one of those after it. */
static void user_that_failed_is_served_last(void **state)
{
	char wrong_name[] = "wrong", good_name[] = "good";
	struct hash_request wrong[2] = {{.user = wrong_name}, {.user = wrong_name}};
	struct hash_request good[2] = {{.user = good_name}, {.user = good_name}};
	struct hash_request *want[] = {&good[0], &good[1], &wrong[0], &wrong[1]};
	struct hash_queue queue = {0};
	uint64_t wait_ms, now_ms = DELAY_FIRST_MS;

	(void)state;
	try_as(&queue, true, wrong_name, HASH_QUEUE_WRONG, 0);
	for (int i = 0; i < 2; i++) {
		hash_queue_put(&queue, &wrong[i], A, 0);
		hash_queue_put(&queue, &good[i], A, 0);
	}
	for (int i = 0; i < 4; i++) {
		struct hash_request *q = hash_queue_take(&queue, now_ms, &wait_ms);

		assert_ptr_equal(q, want[i]);
		finish(&queue, q, i < 2 ? HASH_QUEUE_RIGHT : HASH_QUEUE_WRONG, now_ms);
		now_ms += i < 2 ? 0 : DELAY_LAST_MS;
	}
	assert_true(hash_queue_is_empty(&queue));
	hash_queue_fini(&queue);
}

/* With more names than are remembered: none of them is forgiven by mistake, and all are forgotten
 * in time, successes in between or not. */
static void failures_with_many_names_are_bounded_per_address(void **state)
{
	struct hash_queue queue = {0};
	uint64_t now_ms = 0;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "user%u", i);
		try_as(&queue, false, name, HASH_QUEUE_WRONG, now_ms);
		now_ms += DELAY_LAST_MS;
	}
	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "user%u", i);
		try_as(&queue, false, name, HASH_QUEUE_RIGHT, now_ms);
	}
	try_as(&queue, false, "anna", HASH_QUEUE_WRONG, now_ms);
	assert_int_equal(delay_now(&queue, now_ms), DELAY_LAST_MS);
	for (unsigned i = 1; i < 10; i++)
		try_as(&queue, true, "eve", HASH_QUEUE_RIGHT, now_ms + i * DELAY_FORGOTTEN_MS / 10);
	try_as(&queue, true, "eve", HASH_QUEUE_RIGHT, now_ms + DELAY_FORGOTTEN_MS);
	assert_int_equal(hash_queue_source_count(&queue), 0);
	hash_queue_fini(&queue);
}

static void delay_of_an_address_does_not_hold_back_others(void **state)
{
	struct hash_request a[2] = {0}, b = {0};
	struct hash_queue queue = {0};
	uint64_t wait_ms;

	(void)state;
	hash_queue_put(&queue, &a[0], A, 0);
	finish(&queue, hash_queue_take(&queue, 0, &wait_ms), HASH_QUEUE_WRONG, 0);
	hash_queue_put(&queue, &a[1], A, 0);
	hash_queue_put(&queue, &b, B, 0);
	assert_ptr_equal(hash_queue_take(&queue, 0, &wait_ms), &b);
	assert_null(hash_queue_take(&queue, 0, &wait_ms));
	assert_int_equal(wait_ms, 250);
	finish(&queue, &b, HASH_QUEUE_RIGHT, 0);
	assert_ptr_equal(hash_queue_take(&queue, 250, &wait_ms), &a[1]);
	finish(&queue, &a[1], HASH_QUEUE_RIGHT, 250);
	hash_queue_fini(&queue);
}

static void address_that_failed_has_one_hash_at_a_time(void **state)
{
	struct hash_request a[4] = {0};
	struct hash_queue queue = {0};
	uint64_t wait_ms;

	(void)state;
	for (int i = 0; i < 4; i++)
		hash_queue_put(&queue, &a[i], A, 0);
	assert_ptr_equal(hash_queue_take(&queue, 0, &wait_ms), &a[0]);
	assert_ptr_equal(hash_queue_take(&queue, 0, &wait_ms), &a[1]);
	finish(&queue, &a[0], HASH_QUEUE_WRONG, 0);
	assert_null(hash_queue_take(&queue, 250, &wait_ms));
	assert_true(wait_ms == UINT64_MAX);
	finish(&queue, &a[1], HASH_QUEUE_RIGHT, 250);
	assert_ptr_equal(hash_queue_take(&queue, 250, &wait_ms), &a[2]);
	finish(&queue, &a[2], HASH_QUEUE_RIGHT, 250);
	assert_ptr_equal(hash_queue_pop(&queue), &a[3]);
	assert_null(hash_queue_pop(&queue));
	hash_queue_fini(&queue);
}

static void removed_request_leaves_the_order_of_the_rest(void **state)
{
	struct hash_queue queue = {0};
	uint64_t wait_ms;

	(void)state;
	for (int gone = 0; gone < 3; gone++) {
		struct hash_request a[4] = {0};

		for (int i = 0; i < 3; i++)
			hash_queue_put(&queue, &a[i], A, 0);
		assert_true(hash_queue_remove(&queue, &a[gone]));
		assert_null(a[gone].source);
		hash_queue_put(&queue, &a[3], A, 0);
		for (int i = 0; i < 4; i++) {
			struct hash_request *q;

			if (i == gone)
				continue;
			q = hash_queue_take(&queue, 0, &wait_ms);
			assert_ptr_equal(q, &a[i]);
			assert_false(hash_queue_remove(&queue, q));
			finish(&queue, q, HASH_QUEUE_RIGHT, 0);
		}
		assert_true(hash_queue_is_empty(&queue));
		assert_int_equal(hash_queue_source_count(&queue), 0);
	}
	hash_queue_fini(&queue);
}

static void fail_from(struct hash_queue *queue, uint32_t source, uint64_t now_ms)
{
	struct hash_request q = {0};
	uint64_t wait_ms;

	hash_queue_put(queue, &q, slice_of(&source, sizeof(source)), now_ms);
	finish(queue, hash_queue_take(queue, now_ms, &wait_ms), HASH_QUEUE_WRONG, now_ms);
}

static void table_of_sources_is_bounded(void **state)
{
	struct hash_queue queue = {0};
	uint64_t wait_ms;
	uint32_t first = 0;
	struct hash_request q = {0}, waiting = {0};

	(void)state;
	hash_queue_put(&queue, &waiting, A, 0);
	for (uint32_t i = 0; i < HASH_QUEUE_SOURCES_MAX + 100; i++) {
		assert_ptr_equal(hash_queue_pop(&queue), &waiting);
		fail_from(&queue, i, i);
		hash_queue_put(&queue, &waiting, A, i);
		assert_true(hash_queue_source_count(&queue) <= HASH_QUEUE_SOURCES_MAX + 2);
	}
	assert_ptr_equal(hash_queue_pop(&queue), &waiting);
	/* The first is forgotten: it goes at once. The last is not. */
	hash_queue_put(&queue, &q, slice_of(&first, sizeof(first)), HASH_QUEUE_SOURCES_MAX + 100);
	finish(&queue, hash_queue_take(&queue, HASH_QUEUE_SOURCES_MAX + 100, &wait_ms),
	       HASH_QUEUE_RIGHT, 0);
	first = HASH_QUEUE_SOURCES_MAX + 99;
	hash_queue_put(&queue, &q, slice_of(&first, sizeof(first)), HASH_QUEUE_SOURCES_MAX + 100);
	assert_null(hash_queue_take(&queue, HASH_QUEUE_SOURCES_MAX + 100, &wait_ms));
	assert_ptr_equal(hash_queue_pop(&queue), &q);
	hash_queue_fini(&queue);
}

static void quiet_sources_are_forgotten(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	fail_from(&queue, 1, 0);
	fail_from(&queue, 2, DELAY_FORGOTTEN_MS - 1);
	assert_int_equal(hash_queue_source_count(&queue), 2);
	fail_from(&queue, 3, DELAY_FORGOTTEN_MS);
	assert_int_equal(hash_queue_source_count(&queue), 2);
	hash_queue_fini(&queue);
}

/* Its thread read the clock before another one counted a failure. */
static void request_with_an_older_time_forgets_nothing(void **state)
{
	struct hash_queue queue = {0};
	struct hash_request q = {0};
	uint32_t source = 1;
	uint64_t wait_ms;

	(void)state;
	fail_from(&queue, source, 1000);
	hash_queue_put(&queue, &q, slice_of(&source, sizeof(source)), 999);
	assert_int_equal(hash_queue_source_count(&queue), 1);
	assert_null(hash_queue_take(&queue, 1000, &wait_ms));
	assert_int_equal(wait_ms, 250);
	assert_ptr_equal(hash_queue_pop(&queue), &q);
	hash_queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sources_take_turns),
	    cmocka_unit_test(delay_doubles_with_failures_and_ends_with_success),
	    cmocka_unit_test(check_without_a_hash_is_delayed_after_failure),
	    cmocka_unit_test(success_cancels_failures_of_its_user_only),
	    cmocka_unit_test(success_does_not_delay_the_next_request),
	    cmocka_unit_test(user_that_failed_is_served_last),
	    cmocka_unit_test(failures_with_many_names_are_bounded_per_address),
	    cmocka_unit_test(delay_of_an_address_does_not_hold_back_others),
	    cmocka_unit_test(address_that_failed_has_one_hash_at_a_time),
	    cmocka_unit_test(removed_request_leaves_the_order_of_the_rest),
	    cmocka_unit_test(table_of_sources_is_bounded),
	    cmocka_unit_test(quiet_sources_are_forgotten),
	    cmocka_unit_test(request_with_an_older_time_forgets_nothing),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
