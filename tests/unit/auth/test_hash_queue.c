/* Turns of addresses and pairs, and the bounds of what is remembered of them. */
#include "base/array.h"
#include "base/hash.h"
#include "hash_queue_fixture.h"

static void addresses_take_turns(void **state)
{
	struct asked a[3], b[2], c;
	struct asked *want[] = {&a[0], &b[0], &c, &a[1], &b[1], &a[2]};
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		(void)ask_for(&queue, &a[i], A, "anna", i, 0);
	for (unsigned i = 0; i < 2; i++)
		(void)ask_for(&queue, &b[i], B, "anna", i, 0);
	(void)ask_for(&queue, &c, C, "anna", 0, 0);
	for (unsigned i = 0; i < 6; i++)
		assert_ptr_equal(take(&queue, 0), &want[i]->q);
	assert_true(wait_of_next(&queue, 0) == UINT64_MAX);
	for (unsigned i = 0; i < 6; i++)
		(void)finish(&queue, &want[i]->q, HASH_QUEUE_RIGHT, 0);
	assert_empty(&queue);
	hash_queue_fini(&queue);
}

static void pairs_of_an_address_take_turns(void **state)
{
	struct asked anna[3], bo[2], carl;
	struct asked *want[] = {&anna[0], &bo[0], &carl, &anna[1], &bo[1], &anna[2]};
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		(void)ask_for(&queue, &anna[i], A, "anna", i, 0);
	for (unsigned i = 0; i < 2; i++)
		(void)ask_for(&queue, &bo[i], A, "bo", i, 0);
	(void)ask_for(&queue, &carl, A, "carl", 0, 0);
	for (unsigned i = 0; i < 6; i++)
		assert_ptr_equal(take(&queue, 0), &want[i]->q);
	for (unsigned i = 0; i < 6; i++)
		(void)finish(&queue, &want[i]->q, HASH_QUEUE_RIGHT, 0);
	assert_empty(&queue);
	hash_queue_fini(&queue);
}

static void removed_request_leaves_the_order_of_the_rest(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned gone = 0; gone < 3; gone++) {
		struct asked a[4];

		for (unsigned i = 0; i < 3; i++)
			(void)ask_for(&queue, &a[i], A, "anna", 7, 0);
		assert_true(hash_queue_remove(&queue, &a[gone].q, 0));
		assert_null(a[gone].q.pair);
		(void)ask_for(&queue, &a[3], A, "anna", 7, 0);
		for (unsigned i = 0; i < 4; i++) {
			if (i == gone)
				continue;
			assert_ptr_equal(take(&queue, 0), &a[i].q);
			assert_false(hash_queue_remove(&queue, &a[i].q, 0));
			(void)finish(&queue, &a[i].q, HASH_QUEUE_RIGHT, 0);
		}
		assert_empty(&queue);
	}
	hash_queue_fini(&queue);
}

/* Known ones first, then new ones, then those with wrong passwords; but nobody waits for ever. */
static void order_of_ranks(void **state)
{
	static const char *const names[] = {"failed", "new", "kept"};
	struct asked a[3][40];
	struct hash_queue queue = {0};
	unsigned taken[3] = {0};

	(void)state;
	(void)try(&queue, A, "failed", 1, HASH_QUEUE_WRONG, 0);
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < 3; k++) {
			fill(&a[k][i], A, names[k], 2);
			a[k][i].q.has_session = k == 2;
			(void)ask(&queue, &a[k][i], 0);
		}
	}
	for (unsigned i = 0; i < 40; i++) {
		struct hash_request *q = take(&queue, 0);

		assert_non_null(q);
		for (unsigned k = 0; k < 3; k++)
			taken[k] += strcmp(q->user, names[k]) == 0;
	}
	assert_true(taken[2] > taken[1] && taken[1] > taken[0] && taken[0] >= 5);
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < 3; k++) {
			if (!hash_queue_remove(&queue, &a[k][i].q, 0))
				(void)finish(&queue, &a[k][i].q, HASH_QUEUE_RIGHT, 0);
		}
	}
	hash_queue_fini(&queue);
}

static void known_addresses_go_first(void **state)
{
	struct asked known, other, hit;
	struct hash_queue queue = {0};

	(void)state;
	(void)try(&queue, A, "anna", 1, HASH_QUEUE_RIGHT, 0);
	assert_true(guess_table_is_known(&queue.table, A));
	(void)ask_for(&queue, &other, B, "bo", 1, 0);
	(void)ask_for(&queue, &known, A, "carl", 1, 0);
	assert_ptr_equal(take(&queue, 0), &known.q);
	assert_ptr_equal(take(&queue, 0), &other.q);
	(void)finish(&queue, &known.q, HASH_QUEUE_WRONG, 0);
	(void)finish(&queue, &other.q, HASH_QUEUE_WRONG, 0);
	assert_false(guess_table_is_known(&queue.table, B));
	fill(&hit, C, "anna", 1);
	hash_queue_hit(&queue, &hit.q);
	assert_true(guess_table_is_known(&queue.table, C));
	hash_queue_fini(&queue);
}

/* At one address, where everybody's gateway is. */
static void known_pairs_go_before_others_of_their_address(void **state)
{
	struct asked new, known, foreign, hit;
	struct hash_queue queue = {0};

	(void)state;
	fill(&hit, A, "anna", 1);
	hash_queue_hit(&queue, &hit.q);
	(void)ask_for(&queue, &foreign, B, "anna", 2, 0);
	(void)ask_for(&queue, &new, A, "bo", 1, 0);
	(void)ask_for(&queue, &known, A, "anna", 2, 0);
	assert_ptr_equal(take(&queue, 0), &known.q);
	assert_ptr_equal(take(&queue, 0), &new.q);
	assert_ptr_equal(take(&queue, 0), &foreign.q);
	(void)finish(&queue, &known.q, HASH_QUEUE_WRONG, 0);
	(void)finish(&queue, &new.q, HASH_QUEUE_WRONG, 0);
	(void)finish(&queue, &foreign.q, HASH_QUEUE_WRONG, 0);
	hash_queue_fini(&queue);
}

static void last_known_pair_of_a_set_is_forgotten(void **state)
{
	static struct known_pairs known;
	uint32_t used = 0, found = 0, other;

	(void)state;
	known_pairs_put(&known, A, slice_of_str("anna"));
	assert_true(known_pairs_has(&known, A, slice_of_str("anna")));
	assert_false(known_pairs_has(&known, B, slice_of_str("anna")));
	assert_false(known_pairs_has(&known, A, slice_of_str("bo")));
	for (other = 0; other < 2 * KNOWN_PAIRS_MAX; other++) {
		known_pairs_put(&known, slice_of(&other, sizeof(other)), slice_of_str("bo"));
		known_pairs_put(&known, A, slice_of_str("anna"));
	}
	assert_true(known_pairs_has(&known, A, slice_of_str("anna")));
	for (other = 0; other < 2 * KNOWN_PAIRS_MAX; other++)
		found +=
		    known_pairs_has(&known, slice_of(&other, sizeof(other)), slice_of_str("bo"));
	for (unsigned i = 0; i < KNOWN_PAIRS_SETS; i++) {
		for (unsigned k = 0; k < KNOWN_PAIRS_WAYS; k++)
			used += known.digests[i][k] != 0;
	}
	assert_int_equal(used, found + 1);
	assert_in_range(found, KNOWN_PAIRS_MAX / 2, KNOWN_PAIRS_MAX - 1);
}

/* --- memory --- */

static void fail_from(struct hash_queue *queue, uint32_t source, const char *user, uint64_t now_ms)
{
	(void)try(queue, slice_of(&source, sizeof(source)), user, 1, HASH_QUEUE_WRONG, now_ms);
}

static void table_of_pairs_is_bounded(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	(void)try(&queue, B, "anna", 1, HASH_QUEUE_WRONG, 0);
	for (uint32_t i = 0; i < GUESS_PAIRS_MAX + 100; i++)
		fail_from(&queue, i, "anna", i / 100);
	assert_int_equal(queue.table.quiet_count, GUESS_PAIRS_MAX);
	assert_int_equal(HASH_COUNT(queue.table.pairs), GUESS_PAIRS_MAX);
	assert_int_equal(HASH_COUNT(queue.table.sources), GUESS_PAIRS_MAX);
	/* A delayed one is forgotten later than others. */
	assert_true(delay_now(&queue, A, "anna", 0) > 0);
	hash_queue_fini(&queue);
}

static void pairs_of_an_address_are_bounded(void **state)
{
	struct hash_queue queue = {0};
	char name[16];

	(void)state;
	(void)try(&queue, B, "anna", 1, HASH_QUEUE_WRONG, 0);
	make_delayed(&queue, A, "anna", 0);
	for (unsigned i = 0; i < 10 * GUESS_PAIRS_OF_ADDRESS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "user%u", i);
		(void)try(&queue, A, name, 1, HASH_QUEUE_WRONG, 0);
	}
	assert_int_equal(HASH_COUNT(queue.table.pairs), GUESS_PAIRS_OF_ADDRESS_MAX + 1);
	assert_true(delay_now(&queue, A, "anna", 0) > 0);
	hash_queue_fini(&queue);
}

/* Many addresses that guess do not push out those from which somebody has logged in. */
static void known_addresses_are_bounded(void **state)
{
	struct hash_queue queue = {0};
	struct asked a;

	(void)state;
	(void)try(&queue, A, "anna", 1, HASH_QUEUE_RIGHT, 0);
	for (uint32_t i = 0; i < GUESS_PAIRS_MAX + 100; i++)
		fail_from(&queue, i, "anna", 0);
	assert_true(guess_table_is_known(&queue.table, A));
	for (uint32_t i = 0; i < GUESS_SOURCES_KNOWN_MAX; i++) {
		uint32_t source = 1000000 + i;

		fill(&a, slice_of(&source, sizeof(source)), "anna", 1);
		hash_queue_hit(&queue, &a.q);
	}
	assert_int_equal(queue.table.known_count, GUESS_SOURCES_KNOWN_MAX);
	assert_false(guess_table_is_known(&queue.table, A));
	hash_queue_fini(&queue);
}

static void quiet_pairs_are_forgotten(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	fail_from(&queue, 1, "anna", 0);
	fail_from(&queue, 2, "anna", GUESS_FORGOTTEN_MS - 1);
	assert_int_equal(HASH_COUNT(queue.table.pairs), 2);
	fail_from(&queue, 3, "anna", GUESS_FORGOTTEN_MS);
	assert_int_equal(HASH_COUNT(queue.table.pairs), 2);
	hash_queue_fini(&queue);
}

/* Its thread read the clock before another one counted. */
static void request_with_an_older_time_forgets_nothing(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 1000);
	assert_int_equal(delay_now(&queue, A, "anna", 999), 1001);
	hash_queue_fini(&queue);
}

/* --- for the administrator --- */

static void on_delay(void *arg, const struct login_delay *delay)
{
	struct login_delay *last = arg;

	assert_true(delay->wrong >= GUESSES_FREE);
	*last = *delay;
}

static void delays_are_listed_and_forgiven(void **state)
{
	struct hash_queue queue = {0};
	struct login_delay seen = {0};
	struct asked a;

	(void)state;
	fail_often(&queue, B, "bo", 3, 0);
	make_delayed(&queue, A, "anna", 0);
	(void)ask_for(&queue, &a, A, "anna", 1, 0);
	hash_queue_visit(&queue, on_delay, &seen, 0);
	assert_true(slice_equal(seen.user, SLICE("anna")));
	assert_true(slice_equal(seen.address, A));
	assert_int_equal(seen.wrong, 10);
	assert_int_equal(seen.delay_ms, 1000);
	assert_int_equal(seen.waiting, 1);
	assert_int_equal(hash_queue_forgive(&queue, SLICE("anna"), B, 0), 0);
	assert_int_equal(hash_queue_forgive(&queue, SLICE("bo"), SLICE_EMPTY, 0), 0);
	assert_int_equal(wait_of_next(&queue, 0), 1000);
	assert_int_equal(hash_queue_forgive(&queue, SLICE("anna"), SLICE_EMPTY, 0), 1);
	(void)finish(&queue, take(&queue, 0), HASH_QUEUE_RIGHT, 0);
	/* What is wrong stays wrong. */
	assert_int_equal(ask_for(&queue, &a, A, "anna", 1001, 0), HASH_QUEUE_KNOWN_WRONG);
	seen = (struct login_delay){0};
	hash_queue_visit(&queue, on_delay, &seen, 0);
	assert_int_equal(seen.wrong, 0);
	hash_queue_fini(&queue);
}

/* The log names it when the answer is there, long after the asker's own text has gone. */
static void address_stays_while_a_request_waits(void **state)
{
	struct hash_queue queue = {0};
	char text[] = "192.0.2.7";
	struct asked a;
	struct hash_request *q;
	uint32_t suppressed;

	(void)state;
	(void)ask_for(&queue, &a, slice_of_str(text), "anna", 1, 0);
	memset(text, 'x', sizeof(text) - 1);
	q = take(&queue, 0);
	assert_ptr_equal(q, &a.q);
	assert_true(slice_equal(q->address, SLICE("192.0.2.7")));
	assert_true(hash_queue_reports(&queue, q, 0, &suppressed));
	(void)finish(&queue, q, HASH_QUEUE_WRONG, 0);
	hash_queue_fini(&queue);
}

/* Ten of an address in ten minutes, whatever others have; and the first of the next ten says how
 * many were left out. */
static void wrong_passwords_are_reported_for_each_address(void **state)
{
	struct hash_queue queue = {0};
	uint32_t suppressed;

	(void)state;
	for (unsigned i = 0; i < 15; i++) {
		struct asked a, b;

		(void)ask_for(&queue, &a, A, "anna", i, 0);
		assert_int_equal(hash_queue_reports(&queue, &a.q, 1, &suppressed), i < 10);
		assert_true(hash_queue_remove(&queue, &a.q, 1));
		if (i == 12) {
			(void)ask_for(&queue, &b, B, "anna", i, 0);
			assert_true(hash_queue_reports(&queue, &b.q, 1, &suppressed));
			assert_int_equal(suppressed, 0);
			assert_true(hash_queue_remove(&queue, &b.q, 1));
		}
		if (i == 14) {
			(void)ask_for(&queue, &a, A, "anna", 99, 600001);
			assert_true(hash_queue_reports(&queue, &a.q, 600001, &suppressed));
			assert_int_equal(suppressed, 5);
			assert_true(hash_queue_remove(&queue, &a.q, 600001));
		}
	}
	hash_queue_fini(&queue);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_take_turns),
	    cmocka_unit_test(pairs_of_an_address_take_turns),
	    cmocka_unit_test(removed_request_leaves_the_order_of_the_rest),
	    cmocka_unit_test(order_of_ranks),
	    cmocka_unit_test(known_addresses_go_first),
	    cmocka_unit_test(known_pairs_go_before_others_of_their_address),
	    cmocka_unit_test(last_known_pair_of_a_set_is_forgotten),
	    cmocka_unit_test(table_of_pairs_is_bounded),
	    cmocka_unit_test(pairs_of_an_address_are_bounded),
	    cmocka_unit_test(known_addresses_are_bounded),
	    cmocka_unit_test(quiet_pairs_are_forgotten),
	    cmocka_unit_test(request_with_an_older_time_forgets_nothing),
	    cmocka_unit_test(delays_are_listed_and_forgiven),
	    cmocka_unit_test(address_stays_while_a_request_waits),
	    cmocka_unit_test(wrong_passwords_are_reported_for_each_address),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
