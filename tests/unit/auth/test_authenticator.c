/* The hash threads around the queue and the cache.  Time is a number that the tests set; answers
 * are waited for, and judged by their order. */
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

#define A SLICE("\x0a\x00\x00\x01")
#define B SLICE("\x0a\x00\x00\x02")
#define C SLICE("\x0a\x00\x00\x03")

#define ASKED_MAX 64

static struct {
	struct answer_loop loop;
	struct authenticator *a;
	const char *answers[ASKED_MAX]; /* names in the order of the answers */
	size_t count;
	/* A request of that name, since a test has reset it. */
	bool guess_answered;
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
	t.guess_answered = t.guess_answered || strcmp(asked->name, "guess") == 0;
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
	asked->q.exists = user[0] != '?';
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

/* Wake the thread and wait for one answer of another address. */
static void another_gets_in(const char *user)
{
	struct asked other;

	assert_false(ask(&other, "other", B, user, SLICE("secret")));
	await(&other);
	assert_true(other.q.accepted);
	done(&other);
}

static size_t answered_of(const struct asked *asked, size_t count)
{
	size_t answered = 0;

	for (size_t i = 0; i < count; i++)
		answered += asked[i].answered;
	return answered;
}

static void guesses_of_a_user_from_an_address_are_delayed(void **state)
{
	struct asked guesses[20], busy;
	char password[8];

	(void)state;
	occupy(&busy);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(password, sizeof(password), "guess%d", i);
		guesses[i].answered = ask(&guesses[i], "guess", A, "anna", slice_of_str(password));
		assert_int_equal(guesses[i].answered, i >= 16);
		assert_int_equal(guesses[i].q.is_refused_busy, i >= 16);
	}
	another_gets_in("bo");
	/* the one that was running, one guess, then ours */
	assert_true(strcmp(t.answers[1], "other") == 0 || strcmp(t.answers[2], "other") == 0);
	for (int i = 0; i < 10; i++)
		await(&guesses[i]);
	/* The eleventh comes after a second, and not before: any of those who wait. */
	fake_now_ms += 999;
	another_gets_in("carl");
	assert_int_equal(answered_of(guesses + 10, 6), 0);
	t.guess_answered = false;
	fake_now_ms += 1;
	another_gets_in("dora");
	answer_loop_await(&t.loop, &t.guess_answered);
	another_gets_in("emil");
	assert_int_equal(answered_of(guesses + 10, 6), 1);
	for (int i = 10; i < 16; i++)
		authenticator_cancel(t.a, &guesses[i].q);
	for (int i = 0; i < 20; i++) {
		await(&guesses[i]);
		assert_false(guesses[i].q.accepted);
		done(&guesses[i]);
	}
	await(&busy);
	done(&busy);
}

static void a_wrong_password_is_hashed_once(void **state)
{
	struct asked asked;

	(void)state;
	assert_false(ask(&asked, "first", A, "anna", SLICE("wrong")));
	await(&asked);
	assert_false(asked.q.accepted);
	done(&asked);
	for (int i = 0; i < 100; i++) {
		assert_true(ask(&asked, "again", A, "anna", SLICE("wrong")));
		assert_false(asked.q.accepted || asked.q.is_refused_busy);
		assert_null(asked.q.password);
		done(&asked);
	}
	/* The user's password is changed to this one. */
	asked.answered = false;
	asked.q.exists = true;
	hash_request_fill(&asked.q, SLICE("anna"), OPEN, SLICE("wrong"));
	assert_false(authenticator_submit(t.a, &asked.q));
	await(&asked);
	done(&asked);
}

/* Each would learn whether its password is in the cache, which is as good as a hash. */
static void those_who_leave_do_not_learn_what_is_in_the_cache(void **state)
{
	struct asked asked;
	char password[16];

	(void)state;
	assert_false(ask(&asked, "in", B, "anna", SLICE("secret")));
	await(&asked);
	done(&asked);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(password, sizeof(password), "guess%d", i);
		asked.answered = ask(&asked, "leaves", A, "anna", slice_of_str(password));
		authenticator_cancel(t.a, &asked.q);
		await(&asked);
		done(&asked);
		t.count = 0;
	}
	assert_false(ask(&asked, "right", A, "anna", SLICE("secret")));
	authenticator_cancel(t.a, &asked.q);
	await(&asked);
	assert_false(asked.q.accepted);
	done(&asked);
	assert_true(ask(&asked, "elsewhere", B, "anna", SLICE("secret")));
	done(&asked);
}

static bool prove(struct asked *asked, bool right)
{
	*asked = (struct asked){.name = "proof"};
	asked->q.task.run = on_answer;
	asked->q.executor = &t.loop.executor;
	asked->q.address = A;
	asked->q.exists = true;
	asked->q.proof = right ? HASH_PROOF_RIGHT : HASH_PROOF_WRONG;
	hash_request_fill(&asked->q, SLICE("anna"), NULL, SLICE_EMPTY);
	return authenticator_submit(t.a, &asked->q);
}

static void proofs_wait_where_somebody_guesses(void **state)
{
	struct asked asked;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(prove(&asked, true));
		assert_true(asked.q.accepted);
		done(&asked);
		assert_true(prove(&asked, false));
		assert_false(asked.q.accepted);
		done(&asked);
	}
	assert_false(prove(&asked, true));
	fake_now_ms += 1000;
	another_gets_in("bo");
	await(&asked);
	assert_true(asked.q.accepted);
	done(&asked);
	assert_int_equal(authenticator_forgive(t.a, SLICE("anna"), A), 1);
	assert_true(prove(&asked, true));
	done(&asked);
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
	    cmocka_unit_test_setup_teardown(passwords_are_accepted_or_refused, start, stop),
	    cmocka_unit_test_setup_teardown(password_over_the_maximum_is_refused, start, stop),
	    cmocka_unit_test_setup_teardown(success_is_cached_for_an_hour, start, stop),
	    cmocka_unit_test_setup_teardown(guesses_of_a_user_from_an_address_are_delayed, start,
	                                    stop),
	    cmocka_unit_test_setup_teardown(a_wrong_password_is_hashed_once, start, stop),
	    cmocka_unit_test_setup_teardown(those_who_leave_do_not_learn_what_is_in_the_cache,
	                                    start, stop),
	    cmocka_unit_test_setup_teardown(proofs_wait_where_somebody_guesses, start, stop),
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
