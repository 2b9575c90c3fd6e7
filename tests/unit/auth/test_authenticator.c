/* The queue's turns and delays, the cache, and the threads around them.  Time is a number that the
 * tests set; answers are waited for, and judged by their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_loop.h"
#include "auth/authenticator.h"
#include "auth/hash_queue.h"
#include "auth/login_cache.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"

/* Cheap ones, of "secret" and of "open". */
#define SECRET                                                                                     \
	"$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2k" \
	"gY5hR2.peKEg2VGUqIJJu1"
#define OPEN                                                                                       \
	"$6$rounds=1000$abcdefgh$UmaniIYMu6OFsPnXbsHaqgs3qcfijxk4cT5Sj6CzjAi.IGCJBrI7flQNGNr2vb6q" \
	"cOkO0F9CvfsRcaHyGKASL1"

static _Atomic uint64_t fake_now_ms = 1000000;

static uint64_t fake_monotonic_ns(void *arg)
{
	(void)arg;
	return fake_now_ms * 1000000;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return 0;
}

/* ---- the queue alone ---- */

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
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
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

		for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
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

/* ---- the cache alone ---- */

static void digest_differs_with_user_hash_password_and_key(void **state)
{
	static const struct {
		struct slice user, hash, password;
	} rows[] = {
	    {SLICE_INIT("ab"), SLICE_INIT("c"), SLICE_INIT("d")},
	    {SLICE_INIT("a"), SLICE_INIT("bc"), SLICE_INIT("d")},
	    {SLICE_INIT("ab"), SLICE_INIT("cd"), SLICE_INIT("")},
	    {SLICE_INIT(""), SLICE_INIT("abcd"), SLICE_INIT("")},
	    {SLICE_INIT("ab"), SLICE_INIT("c"), SLICE_INIT("e")},
	};
	uint8_t digests[5][LOGIN_CACHE_DIGEST], other[LOGIN_CACHE_DIGEST];
	struct login_cache cache, another;

	(void)state;
	login_cache_init(&cache);
	login_cache_init(&another);
	for (size_t i = 0; i < 5; i++) {
		login_cache_digest(&cache, rows[i].user, rows[i].hash, rows[i].password,
		                   digests[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], LOGIN_CACHE_DIGEST);
	}
	login_cache_digest(&another, rows[0].user, rows[0].hash, rows[0].password, other);
	assert_memory_not_equal(digests[0], other, LOGIN_CACHE_DIGEST);
	login_cache_fini(&another);
	login_cache_fini(&cache);
}

static void cache_drops_old_and_surplus_entries(void **state)
{
	uint8_t one[LOGIN_CACHE_DIGEST] = {1}, two[LOGIN_CACHE_DIGEST] = {2},
		many[LOGIN_CACHE_DIGEST] = {3};
	struct login_cache cache;

	(void)state;
	login_cache_init(&cache);
	login_cache_put(&cache, one, 0);
	login_cache_put(&cache, two, 10);
	assert_true(login_cache_find(&cache, one, LOGIN_CACHE_LIFETIME_MS - 1));
	assert_false(login_cache_find(&cache, one, LOGIN_CACHE_LIFETIME_MS));
	assert_true(login_cache_find(&cache, two, LOGIN_CACHE_LIFETIME_MS));
	assert_int_equal(login_cache_count(&cache), 1);
	login_cache_put(&cache, one, 20);
	login_cache_put(&cache, two, 30); /* now the younger of the two */
	for (uint32_t i = 0; i < LOGIN_CACHE_MAX - 1; i++) {
		memcpy(many + 1, &i, sizeof(i));
		login_cache_put(&cache, many, 40);
	}
	assert_int_equal(login_cache_count(&cache), LOGIN_CACHE_MAX);
	assert_false(login_cache_find(&cache, one, 50));
	assert_true(login_cache_find(&cache, two, 50));
	login_cache_fini(&cache);
}

/* ---- the whole ---- */

#define ASKED_MAX 64

static struct {
	struct answer_loop loop;
	struct authenticator *a;
	const char *answers[ASKED_MAX]; /* names in the order of the answers */
	size_t count;
} t;

struct asked {
	struct hash_request q;
	const char *name;
	bool answered;
};
_Static_assert(offsetof(struct asked, q.task) == 0, "a post is cast to what it is in");

static void on_answer(struct task *task, void *executor_arg)
{
	struct asked *asked = (struct asked *)task;

	(void)executor_arg;
	assert_false(asked->answered);
	assert_null(asked->q.password);
	assert_true(t.count < ASKED_MAX);
	asked->answered = true;
	t.answers[t.count++] = asked->name;
}

static void await(const struct asked *asked)
{
	answer_loop_await(&t.loop, &asked->answered);
}

static int start(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	answer_loop_init(&t.loop);
	t.a = authenticator_new(1);
	return t.a == NULL;
}

static int stop(void **state)
{
	(void)state;
	authenticator_free(t.a);
	answer_loop_fini(&t.loop);
	return 0;
}

/* Everybody's password is "secret". True: answered at once. */
static bool ask(struct asked *asked, const char *name, struct slice address, const char *user,
                struct slice password)
{
	*asked = (struct asked){.name = name};
	asked->q.task.run = on_answer;
	asked->q.executor = &t.loop.executor;
	asked->q.address = address;
	hash_request_fill(&asked->q, slice_of_str(user), user[0] == '?' ? NULL : SECRET, password);
	return authenticator_submit(t.a, &asked->q);
}

static void done(struct asked *asked)
{
	hash_request_fini(&asked->q);
}

/* A slow hash that keeps the only thread busy while the test fills the queue. */
static void occupy(struct asked *asked)
{
	assert_false(ask(asked, "busy", SLICE("busy"), "?", SLICE("x")));
}

static void passwords_are_accepted_or_refused(void **state)
{
	static const struct {
		const char *name, *user;
		struct slice password;
		bool accepted;
	} rows[] = {
	    {"right", "anna", SLICE_INIT("secret"), true},
	    {"wrong", "anna", SLICE_INIT("Secret"), false},
	    {"empty", "anna", SLICE_INIT(""), false},
	    {"nul behind", "anna", SLICE_INIT("secret\0x"), false},
	    {"nobody", "?", SLICE_INIT("secret"), false},
	    {"nobody, no password", "?", SLICE_INIT(""), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked asked;

		assert_false(ask(&asked, rows[i].name, slice_of_str(rows[i].name), rows[i].user,
		                 rows[i].password));
		await(&asked);
		if (asked.q.accepted != rows[i].accepted)
			fail_msg("%s", rows[i].name);
		done(&asked);
	}
}

static void password_over_the_maximum_is_refused(void **state)
{
	char password[300];
	struct asked asked;

	(void)state;
	memset(password, 'p', sizeof(password));
	hash_request_fill(&asked.q, SLICE("anna"), NULL, slice_of(password, 257));
	assert_null(asked.q.password);
	hash_request_fini(&asked.q);
	assert_false(ask(&asked, "long", A, "anna", slice_of(password, 257)));
	await(&asked);
	assert_false(asked.q.accepted);
	done(&asked);
}

static void success_is_cached_for_an_hour(void **state)
{
	struct asked asked;

	(void)state;
	assert_false(ask(&asked, "first", A, "anna", SLICE("secret")));
	await(&asked);
	assert_true(asked.q.accepted);
	done(&asked);
	assert_true(ask(&asked, "again", B, "anna", SLICE("secret")));
	assert_true(asked.q.accepted);
	assert_null(asked.q.password);
	done(&asked);
	/* another password, another user, another hash: no hit */
	assert_false(ask(&asked, "wrong", B, "anna", SLICE("secret2")));
	await(&asked);
	assert_false(asked.q.accepted);
	done(&asked);
	assert_false(ask(&asked, "other", C, "bo", SLICE("secret")));
	await(&asked);
	done(&asked);
	hash_request_fill(&asked.q, SLICE("anna"), OPEN, SLICE("secret"));
	asked.answered = false;
	assert_false(authenticator_submit(t.a, &asked.q));
	await(&asked);
	assert_false(asked.q.accepted);
	done(&asked);
	/* an hour later */
	fake_now_ms += LOGIN_CACHE_LIFETIME_MS;
	assert_false(ask(&asked, "late", A, "anna", SLICE("secret")));
	await(&asked);
	assert_true(asked.q.accepted);
	done(&asked);
}

static void failing_address_delays_no_other(void **state)
{
	struct asked guesses[20], other, busy;

	(void)state;
	occupy(&busy);
	for (int i = 0; i < 20; i++)
		assert_false(ask(&guesses[i], "guess", A, "anna", SLICE("guess")));
	assert_false(ask(&other, "other", B, "bo", SLICE("secret")));
	await(&other);
	assert_true(other.q.accepted);
	assert_true(t.count <= 3); /* the one that was running, one guess, then ours */
	/* The guesser's second comes after 250 ms, and not before. */
	assert_false(guesses[1].answered);
	done(&other);
	fake_now_ms += 249;
	assert_false(ask(&other, "other", B, "carl", SLICE("secret")));
	await(&other);
	done(&other);
	assert_false(guesses[1].answered);
	fake_now_ms += 1;
	await(&guesses[1]);
	assert_false(guesses[2].answered);
	for (int i = 2; i < 20; i++)
		authenticator_cancel(t.a, &guesses[i].q);
	await(&guesses[19]);
	for (int i = 0; i < 20; i++) {
		assert_true(guesses[i].answered);
		assert_false(guesses[i].q.accepted);
		done(&guesses[i]);
	}
	done(&busy);
}

/* Those who waited while the first of them was hashed need no hash of their own. */
static void many_clients_with_one_password_need_few_hashes(void **state)
{
	struct asked herd[20], busy;

	(void)state;
	occupy(&busy);
	for (int i = 0; i < 20; i++)
		herd[i].answered = ask(&herd[i], "herd", A, "anna", SLICE("secret"));
	for (int i = 0; i < 20; i++) {
		await(&herd[i]);
		assert_true(herd[i].q.accepted);
		done(&herd[i]);
	}
	await(&busy);
	done(&busy);
}

static void cancelled_request_is_not_hashed(void **state)
{
	struct asked busy, gone, next;

	(void)state;
	occupy(&busy);
	assert_false(ask(&gone, "gone", A, "anna", SLICE("secret")));
	assert_false(ask(&next, "next", A, "bo", SLICE("secret")));
	authenticator_cancel(t.a, &gone.q);
	await(&gone);
	await(&next);
	await(&busy);
	/* Which of them the thread had when we cancelled is its affair; each has one answer. */
	assert_int_equal(t.count, 3);
	assert_true(next.q.accepted);
	authenticator_cancel(t.a, &gone.q); /* too late: nothing happens */
	done(&gone);
	done(&next);
	done(&busy);
}

static void stop_refuses_waiting_requests(void **state)
{
	struct asked busy, waiting[5], late;

	(void)state;
	occupy(&busy);
	for (int i = 0; i < 5; i++)
		assert_false(ask(&waiting[i], "waiting", A, "anna", SLICE("guess")));
	authenticator_stop(t.a);
	await(&waiting[4]);
	assert_false(ask(&late, "late", A, "anna", SLICE("secret")));
	await(&late);
	await(&busy);
	assert_int_equal(t.count, 7);
	for (int i = 0; i < 5; i++) {
		assert_false(waiting[i].q.accepted);
		done(&waiting[i]);
	}
	assert_false(late.q.accepted);
	done(&late);
	done(&busy);
}

static void two_threads_answer_each_request_once(void **state)
{
	static const char *const users[] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"};
	struct asked asked[40];

	(void)state;
	authenticator_free(t.a);
	t.a = authenticator_new(2);
	for (size_t i = 0; i < 40; i++) {
		bool right = i % 5 != 0;

		if (ask(&asked[i], "q", slice_of(&i, sizeof(i)), users[i % 8],
		        right ? SLICE("secret") : SLICE("wrong")))
			asked[i].answered = true;
		if (i % 7 == 3)
			authenticator_cancel(t.a, &asked[i].q);
	}
	for (size_t i = 0; i < 40; i++) {
		await(&asked[i]);
		if (i % 5 == 0)
			assert_false(asked[i].q.accepted);
		else if (i % 7 != 3)
			assert_true(asked[i].q.accepted);
		done(&asked[i]);
	}
}

int main(void)
{
	static const struct clock_source fake = {.monotonic_ns = fake_monotonic_ns,
	                                         .wall_ms = fake_wall_ms};
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
	    cmocka_unit_test(digest_differs_with_user_hash_password_and_key),
	    cmocka_unit_test(cache_drops_old_and_surplus_entries),
	    cmocka_unit_test_setup_teardown(passwords_are_accepted_or_refused, start, stop),
	    cmocka_unit_test_setup_teardown(password_over_the_maximum_is_refused, start, stop),
	    cmocka_unit_test_setup_teardown(success_is_cached_for_an_hour, start, stop),
	    cmocka_unit_test_setup_teardown(failing_address_delays_no_other, start, stop),
	    cmocka_unit_test_setup_teardown(many_clients_with_one_password_need_few_hashes, start,
	                                    stop),
	    cmocka_unit_test_setup_teardown(cancelled_request_is_not_hashed, start, stop),
	    cmocka_unit_test_setup_teardown(stop_refuses_waiting_requests, start, stop),
	    cmocka_unit_test_setup_teardown(two_threads_answer_each_request_once, start, stop),
	};

	hash_init();
	clock_use(&fake);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
