/* Turns of addresses and pairs, and delays of those who guess.  Time is a number that the tests
 * set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/hash_queue.h"
#include "base/array.h"
#include "base/hash.h"

#define A SLICE("192.0.2.1")
#define B SLICE("192.0.2.2")
#define C SLICE("192.0.2.3")

#define MINUTE UINT64_C(60000)

/* A login that is asked for. The number of its password is its digest. */
struct asked {
	struct hash_request q;
	char user[24];
};

static void fill(struct asked *a, struct slice address, const char *user, unsigned password)
{
	*a = (struct asked){.q.address = address, .q.exists = user[0] != '?'};
	(void)snprintf(a->user, sizeof(a->user), "%s", user);
	a->q.user = a->user;
	memcpy(a->q.digest, &password, sizeof(password));
}

static bool finish(struct hash_queue *queue, struct hash_request *q,
                   enum hash_queue_outcome outcome, uint64_t now_ms)
{
	assert_non_null(q);
	return hash_queue_done(queue, q, outcome, now_ms);
}

/* It is in no cache. */
static enum hash_queue_place ask(struct hash_queue *queue, struct asked *a, uint64_t now_ms)
{
	enum hash_queue_place place = hash_queue_ask(queue, &a->q, now_ms);

	if (place == HASH_QUEUE_FREE)
		(void)hash_queue_put(queue, &a->q, now_ms);
	return place;
}

static enum hash_queue_place ask_for(struct hash_queue *queue, struct asked *a,
                                     struct slice address, const char *user, unsigned password,
                                     uint64_t now_ms)
{
	fill(a, address, user, password);
	return ask(queue, a, now_ms);
}

static struct hash_request *take(struct hash_queue *queue, uint64_t now_ms)
{
	uint64_t wait_ms;

	return hash_queue_take(queue, now_ms, &wait_ms);
}

static uint64_t wait_of_next(struct hash_queue *queue, uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	assert_null(hash_queue_take(queue, now_ms, &wait_ms));
	return wait_ms;
}

/* One login from its question to its answer, which must be possible now. True: it began the delay.
 */
static bool try(struct hash_queue *queue, struct slice address, const char *user, unsigned password,
                enum hash_queue_outcome outcome, uint64_t now_ms)
{
	struct asked a;
	bool begins = false;

	fill(&a, address, user, password);
	if (hash_queue_ask(queue, &a.q, now_ms) == HASH_QUEUE_FREE)
		begins = hash_queue_put(queue, &a.q, now_ms);
	assert_ptr_equal(take(queue, now_ms), &a.q);
	return finish(queue, &a.q, outcome, now_ms) || begins;
}

static void fail_often(struct hash_queue *queue, struct slice address, const char *user,
                       unsigned times, uint64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		(void)try(queue, address, user, 1000 + i, HASH_QUEUE_WRONG, now_ms);
}

/* Ten wrong passwords. */
static void make_delayed(struct hash_queue *queue, struct slice address, const char *user,
                         uint64_t now_ms)
{
	fail_often(queue, address, user, GUESSES_FREE, now_ms);
}

/* How long the next login of this pair waits. */
static uint64_t delay_now(struct hash_queue *queue, struct slice address, const char *user,
                          uint64_t now_ms)
{
	struct asked a;
	uint64_t wait_ms = 0;
	struct hash_request *q;

	(void)ask_for(queue, &a, address, user, 999999, now_ms);
	q = hash_queue_take(queue, now_ms, &wait_ms);
	if (q == NULL) {
		assert_true(hash_queue_remove(queue, &a.q, now_ms));
		return wait_ms;
	}
	assert_ptr_equal(q, &a.q);
	(void)finish(queue, q, HASH_QUEUE_RIGHT, now_ms);
	return 0;
}

static void assert_empty(struct hash_queue *queue)
{
	assert_true(hash_queue_is_empty(queue));
	assert_null(queue->table.pairs);
}

/* --- turns --- */

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

/* --- delays --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_take_turns),
	    cmocka_unit_test(pairs_of_an_address_take_turns),
	    cmocka_unit_test(removed_request_leaves_the_order_of_the_rest),
	    cmocka_unit_test(order_of_ranks),
	    cmocka_unit_test(known_addresses_go_first),
	    cmocka_unit_test(known_pairs_go_before_others_of_their_address),
	    cmocka_unit_test(last_known_pair_of_a_set_is_forgotten),
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
	    cmocka_unit_test(table_of_pairs_is_bounded),
	    cmocka_unit_test(pairs_of_an_address_are_bounded),
	    cmocka_unit_test(known_addresses_are_bounded),
	    cmocka_unit_test(quiet_pairs_are_forgotten),
	    cmocka_unit_test(request_with_an_older_time_forgets_nothing),
	    cmocka_unit_test(delays_are_listed_and_forgiven),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
