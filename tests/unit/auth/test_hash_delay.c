/* Delays of those who guess. */
#include "base/array.h"
#include "base/hash.h"
#include "hash_queue_fixture.h"

static void ten_wrong_passwords_are_free(void **state)
{
	static const uint64_t delays[] = {1000, 2000, 4000, 8000, 8000, 8000};
	struct hash_queue queue = {0};
	uint64_t now_ms = 5;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(delay_now(&queue, A, "anna", now_ms), 0);
		assert_int_equal(try(&queue, A, "anna", i, HASH_QUEUE_WRONG, now_ms), i == 9);
	}
	for (unsigned i = 0; i < ARRAY_LEN(delays); i++) {
		assert_int_equal(delay_now(&queue, A, "anna", now_ms), delays[i]);
		now_ms += delays[i];
		assert_false(try(&queue, A, "anna", 10 + i, HASH_QUEUE_WRONG, now_ms));
	}
	hash_queue_fini(&queue);
}

static void one_is_given_back_each_six_minutes(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned i = 0; i < 30; i++) /* no more than 13 count */
		(void)try(&queue, A, "anna", i, HASH_QUEUE_WRONG, i * UINT64_C(8000));
	assert_int_equal(delay_now(&queue, A, "anna", 29 * UINT64_C(8000)), 8000);
	/* The time counts from the first of them: 13 - 1 + 1, 13 - 2 + 1, 12 - 2 + 1, 11 - 2 + 1 */
	(void)try(&queue, A, "anna", 100, HASH_QUEUE_WRONG, 6 * MINUTE);
	assert_int_equal(delay_now(&queue, A, "anna", 6 * MINUTE), 8000);
	(void)try(&queue, A, "anna", 101, HASH_QUEUE_WRONG, 18 * MINUTE);
	assert_int_equal(delay_now(&queue, A, "anna", 18 * MINUTE), 4000);
	(void)try(&queue, A, "anna", 102, HASH_QUEUE_WRONG, 30 * MINUTE);
	assert_int_equal(delay_now(&queue, A, "anna", 30 * MINUTE), 2000);
	(void)try(&queue, A, "anna", 103, HASH_QUEUE_WRONG, 42 * MINUTE - 1);
	assert_int_equal(delay_now(&queue, A, "anna", 42 * MINUTE - 1), 2000);
	assert_int_equal(delay_now(&queue, A, "anna", 48 * MINUTE), 0);
	/* nine count, one more is too many again */
	(void)try(&queue, A, "anna", 104, HASH_QUEUE_WRONG, 48 * MINUTE);
	assert_int_equal(delay_now(&queue, A, "anna", 48 * MINUTE), 1000);
	hash_queue_fini(&queue);
}

/* A right password proves who this client is, not that nobody else guesses. */
static void success_forgives_nothing(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	(void)try(&queue, A, "anna", 1, HASH_QUEUE_RIGHT, 1000);
	(void)try(&queue, A, "eve", 1, HASH_QUEUE_RIGHT, 1000);
	(void)try(&queue, A, "anna", 2, HASH_QUEUE_WRONG, 1500);
	assert_int_equal(delay_now(&queue, A, "anna", 1500), 2000);
	hash_queue_fini(&queue);
}

static void a_right_password_does_not_delay_the_next_login(void **state)
{
	struct asked good[3];
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask_for(&queue, &good[i], A, "anna", 1, 0), HASH_QUEUE_WAITS);
	assert_int_equal(wait_of_next(&queue, 0), 1000);
	for (unsigned i = 0; i < 3; i++)
		(void)finish(&queue, take(&queue, 1000 + i * HASH_QUEUE_SHARED_MS),
		             HASH_QUEUE_RIGHT, 1000 + i * HASH_QUEUE_SHARED_MS);
	assert_true(hash_queue_is_empty(&queue));
	hash_queue_fini(&queue);
}

static void delay_belongs_to_user_and_address(void **state)
{
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	assert_int_equal(delay_now(&queue, A, "anna", 0), 1000);
	assert_int_equal(delay_now(&queue, A, "bo", 0), 0);
	assert_int_equal(delay_now(&queue, B, "anna", 0), 0);
	assert_int_equal(delay_now(&queue, A, "?", 0), 0);
	hash_queue_fini(&queue);
}

static void missing_names_are_one_pair_of_an_address(void **state)
{
	struct hash_queue queue = {0};
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "?%u", i);
		(void)try(&queue, A, name, i, HASH_QUEUE_WRONG, 0);
	}
	assert_int_equal(delay_now(&queue, A, "?another", 0), 1000);
	assert_int_equal(delay_now(&queue, A, "anna", 0), 0);
	assert_int_equal(delay_now(&queue, B, "?another", 0), 0);
	hash_queue_fini(&queue);
}

static void delayed_pairs_of_an_address_share_two_hashes_a_second(void **state)
{
	static const char *const names[] = {"anna", "bo", "carl", "?"};
	struct asked a[4], other;
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		make_delayed(&queue, A, names[i], 0);
	make_delayed(&queue, B, "anna", 0);
	for (unsigned i = 0; i < 4; i++)
		(void)ask_for(&queue, &a[i], A, names[i], 1, 10000);
	(void)ask_for(&queue, &other, B, "anna", 1, 10000);
	(void)finish(&queue, take(&queue, 10000), HASH_QUEUE_WRONG, 10000);
	(void)finish(&queue, take(&queue, 10000), HASH_QUEUE_WRONG, 10000); /* of B */
	for (unsigned i = 1; i < 4; i++) {
		uint64_t now_ms = 10000 + i * HASH_QUEUE_SHARED_MS;

		assert_int_equal(wait_of_next(&queue, now_ms - 1), 1);
		(void)finish(&queue, take(&queue, now_ms), HASH_QUEUE_WRONG, now_ms);
	}
	assert_true(hash_queue_is_empty(&queue));
	hash_queue_fini(&queue);
}

static void a_delayed_pair_has_one_hash_at_a_time(void **state)
{
	struct asked a[3];
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	for (unsigned i = 0; i < 3; i++)
		(void)ask_for(&queue, &a[i], A, "anna", i, 5000);
	assert_non_null(take(&queue, 5000));
	assert_true(wait_of_next(&queue, 50000) == UINT64_MAX);
	for (unsigned i = 0; i < 3; i++) {
		if (!hash_queue_remove(&queue, &a[i].q, 50000))
			(void)finish(&queue, &a[i].q, HASH_QUEUE_SKIPPED, 50000);
	}
	hash_queue_fini(&queue);
}

/* --- passwords that were tried before --- */

static void a_wrong_password_again_costs_nothing(void **state)
{
	struct hash_queue queue = {0};
	struct asked a;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		(void)try(&queue, A, "anna", i, HASH_QUEUE_WRONG, 0);
	for (unsigned i = 0; i < 800; i++)
		assert_int_equal(ask_for(&queue, &a, A, "anna", i % 8, i), HASH_QUEUE_KNOWN_WRONG);
	assert_int_equal(delay_now(&queue, A, "anna", 800), 0);
	/* of another user, from another address, with another password: asked */
	assert_int_equal(ask_for(&queue, &a, A, "bo", 1, 800), HASH_QUEUE_FREE);
	assert_true(hash_queue_remove(&queue, &a.q, 800));
	assert_int_equal(ask_for(&queue, &a, B, "anna", 1, 800), HASH_QUEUE_FREE);
	assert_true(hash_queue_remove(&queue, &a.q, 800));
	/* and where the pair is delayed */
	fail_often(&queue, A, "anna", GUESSES_FREE - 8, 800);
	assert_int_equal(delay_now(&queue, A, "anna", 800), 1000);
	assert_int_equal(ask_for(&queue, &a, A, "anna", 3, 800), HASH_QUEUE_KNOWN_WRONG);
	hash_queue_fini(&queue);
}

/* Those of other users at the address push none out, and one in use stays. */
static void remembered_passwords_are_bounded_for_each_pair(void **state)
{
	struct hash_queue queue = {0};
	struct asked a;
	uint64_t now_ms = 0;

	(void)state;
	(void)try(&queue, A, "anna", 1, HASH_QUEUE_WRONG, now_ms);
	(void)try(&queue, A, "anna", 2, HASH_QUEUE_WRONG, now_ms);
	for (unsigned i = 0; i < 2 * WRONG_PASSWORDS_MAX; i++) {
		now_ms += 10000;
		(void)try(&queue, A, "bo", 100 + i, HASH_QUEUE_WRONG, now_ms);
	}
	for (unsigned i = 0; i < WRONG_PASSWORDS_MAX - 1; i++) {
		now_ms += 10000;
		assert_int_equal(ask_for(&queue, &a, A, "anna", 1, now_ms), HASH_QUEUE_KNOWN_WRONG);
		(void)try(&queue, A, "anna", 200 + i, HASH_QUEUE_WRONG, now_ms);
	}
	assert_int_equal(ask_for(&queue, &a, A, "anna", 1, now_ms), HASH_QUEUE_KNOWN_WRONG);
	assert_int_equal(ask_for(&queue, &a, A, "anna", 2, now_ms), HASH_QUEUE_WAITS);
	assert_true(hash_queue_remove(&queue, &a.q, now_ms));
	hash_queue_fini(&queue);
}

/* Sixteen devices with one old password: it is hashed once. */
static void those_who_wait_with_a_wrong_password_learn_it_at_once(void **state)
{
	struct asked a[4];
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ask_for(&queue, &a[i], A, "anna", 1, 0), HASH_QUEUE_WAITS);
	(void)finish(&queue, take(&queue, 1000), HASH_QUEUE_WRONG, 1150);
	for (unsigned i = 0; i < 3; i++) {
		struct hash_request *q = take(&queue, 1150);

		assert_non_null(q);
		assert_true(hash_queue_is_wrong(q));
		(void)finish(&queue, q, HASH_QUEUE_SKIPPED, 1150);
	}
	assert_int_equal(delay_now(&queue, A, "anna", 1150), 2000);
	hash_queue_fini(&queue);
}

/* --- look-ups --- */

/* A client that leaves before its answer has been told that its password is not in the cache. */
static void a_look_up_counts_when_the_client_leaves(void **state)
{
	struct hash_queue queue = {0};
	struct asked a;
	unsigned looked_up = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		looked_up += ask_for(&queue, &a, A, "anna", i, i) == HASH_QUEUE_FREE;
		assert_true(hash_queue_remove(&queue, &a.q, i));
	}
	assert_int_equal(looked_up, GUESSES_FREE);
	assert_true(hash_queue_is_empty(&queue));
	assert_true(delay_now(&queue, A, "anna", 999) > 0);
	/* Those who did not look up anything were not counted. */
	assert_int_equal(queue.table.quiet->count.wrong, GUESSES_FREE);
	hash_queue_fini(&queue);
}

static void all_at_once_look_up_no_more(void **state)
{
	static struct asked a[1000];
	struct hash_queue queue = {0};
	unsigned places[4] = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		places[ask_for(&queue, &a[i], A, "anna", i, 0)]++;
	assert_int_equal(places[HASH_QUEUE_FREE], GUESSES_FREE);
	assert_int_equal(places[HASH_QUEUE_WAITS], HASH_QUEUE_WAITING_MAX - GUESSES_FREE);
	for (unsigned i = 0; i < 1000; i++)
		(void)hash_queue_remove(&queue, &a[i].q, 0);
	assert_true(hash_queue_is_empty(&queue));
	hash_queue_fini(&queue);
}

/* A client that cannot wait does not lock itself out: it has one password. */
static void an_impatient_client_counts_once(void **state)
{
	struct hash_queue queue = {0};
	struct asked a;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(ask_for(&queue, &a, A, "anna", 7, i), HASH_QUEUE_FREE);
		assert_true(hash_queue_remove(&queue, &a.q, i));
	}
	assert_int_equal(queue.table.quiet->count.wrong, 1);
	/* and not at all, when it turns out to be right */
	(void)try(&queue, A, "anna", 7, HASH_QUEUE_RIGHT, 100);
	assert_empty(&queue);
	hash_queue_fini(&queue);
}

static void a_crowd_with_the_right_password_counts_nothing(void **state)
{
	struct asked a[50];
	struct hash_queue queue = {0};

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(ask_for(&queue, &a[i], A, "anna", 7, 0), HASH_QUEUE_FREE);
	for (unsigned i = 0; i < 50; i++)
		(void)finish(&queue, take(&queue, 0), HASH_QUEUE_RIGHT, 0);
	assert_empty(&queue);
	hash_queue_fini(&queue);
}

/* --- a crowd at a delayed pair --- */

static void sixteen_wait_for_a_delayed_pair(void **state)
{
	struct asked a[HASH_QUEUE_WAITING_MAX], more, other;
	struct hash_queue queue = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	for (unsigned i = 0; i < HASH_QUEUE_WAITING_MAX; i++)
		assert_int_equal(ask_for(&queue, &a[i], A, "anna", i, 0), HASH_QUEUE_WAITS);
	assert_int_equal(ask_for(&queue, &more, A, "anna", 100, 0), HASH_QUEUE_FULL);
	assert_int_equal(ask_for(&queue, &other, A, "bo", 100, 0), HASH_QUEUE_FREE);
	assert_true(hash_queue_remove(&queue, &other.q, 0));
	assert_true(hash_queue_remove(&queue, &a[3].q, 0));
	assert_int_equal(ask_for(&queue, &more, A, "anna", 100, 0), HASH_QUEUE_WAITS);
	assert_true(hash_queue_remove(&queue, &more.q, 0));
	while (hash_queue_pop(&queue) != NULL)
		;
	assert_true(hash_queue_is_empty(&queue));
	hash_queue_fini(&queue);
}

/* Who guesses is always there first; the one who does not has a chance all the same. */
static void chance_decides_who_is_next(void **state)
{
	struct hash_queue queue = {0};
	unsigned drawn[4] = {0};

	(void)state;
	make_delayed(&queue, A, "anna", 0);
	for (unsigned round = 0; round < 400; round++) {
		struct asked a[4];
		uint64_t now_ms = 1000 + round * 500;
		struct hash_request *q;

		for (unsigned i = 0; i < 4; i++)
			(void)ask_for(&queue, &a[i], A, "anna", i, now_ms);
		q = take(&queue, now_ms);
		for (unsigned i = 0; i < 4; i++) {
			drawn[i] += q == &a[i].q;
			if (q == &a[i].q)
				(void)finish(&queue, q, HASH_QUEUE_RIGHT, now_ms);
			else
				assert_true(hash_queue_remove(&queue, &a[i].q, now_ms));
		}
	}
	for (unsigned i = 0; i < 4; i++) /* 100 on average; below 40 once in 10^11 runs */
		assert_true(drawn[i] > 40);
	hash_queue_fini(&queue);
}

/* --- proofs (SCRAM) --- */

static void each_wrong_proof_counts(void **state)
{
	struct hash_queue queue = {0};
	struct asked right, wrong;

	(void)state;
	fill(&wrong, A, "anna", 0);
	wrong.q.proof = HASH_PROOF_WRONG;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(hash_queue_ask(&queue, &wrong.q, 0), HASH_QUEUE_FREE);
		assert_int_equal(hash_queue_fail(&queue, &wrong.q, 0), i == 9);
	}
	fill(&right, A, "anna", 0);
	right.q.proof = HASH_PROOF_RIGHT;
	assert_int_equal(hash_queue_ask(&queue, &right.q, 0), HASH_QUEUE_WAITS);
	assert_int_equal(wait_of_next(&queue, 0), 1000);
	assert_ptr_equal(take(&queue, 1000), &right.q);
	(void)finish(&queue, &right.q, HASH_QUEUE_RIGHT, 1000);
	assert_int_equal(hash_queue_ask(&queue, &wrong.q, 1000), HASH_QUEUE_WAITS);
	assert_ptr_equal(take(&queue, 1500), &wrong.q);
	(void)finish(&queue, &wrong.q, HASH_QUEUE_WRONG, 1500);
	assert_int_equal(delay_now(&queue, A, "anna", 1500), 2000);
	hash_queue_fini(&queue);
}
int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ten_wrong_passwords_are_free),
	    cmocka_unit_test(one_is_given_back_each_six_minutes),
	    cmocka_unit_test(success_forgives_nothing),
	    cmocka_unit_test(a_right_password_does_not_delay_the_next_login),
	    cmocka_unit_test(delay_belongs_to_user_and_address),
	    cmocka_unit_test(missing_names_are_one_pair_of_an_address),
	    cmocka_unit_test(delayed_pairs_of_an_address_share_two_hashes_a_second),
	    cmocka_unit_test(a_delayed_pair_has_one_hash_at_a_time),
	    cmocka_unit_test(a_wrong_password_again_costs_nothing),
	    cmocka_unit_test(remembered_passwords_are_bounded_for_each_pair),
	    cmocka_unit_test(those_who_wait_with_a_wrong_password_learn_it_at_once),
	    cmocka_unit_test(a_look_up_counts_when_the_client_leaves),
	    cmocka_unit_test(all_at_once_look_up_no_more),
	    cmocka_unit_test(an_impatient_client_counts_once),
	    cmocka_unit_test(a_crowd_with_the_right_password_counts_nothing),
	    cmocka_unit_test(sixteen_wait_for_a_delayed_pair),
	    cmocka_unit_test(chance_decides_who_is_next),
	    cmocka_unit_test(each_wrong_proof_counts),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
