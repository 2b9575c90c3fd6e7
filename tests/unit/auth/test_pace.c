/* A failed login takes as long for every name.  The linker puts functions of this file in the place
 * of the hash and of waiting: a hash moves the clock by what its method costs, waiting by what is
 * waited for, and nothing else moves it. */
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
#include "auth/login_cost.h"
#include "auth/pace.h"
#include "auth/password.h"
#include "auth/password_file.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/thread.h"

#define SHA                                                                                        \
	"$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2k" \
	"gY5hR2.peKEg2VGUqIJJu1"
#define BCRYPT "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

#define SHA_MS     24
#define BCRYPT_MS  55
#define DEFAULT_MS 70
#define FAILURE_MS 69 /* a quarter more than bcrypt, in whole milliseconds */

#define MS UINT64_C(1000000)

/* ---- what is known, alone ---- */

static void kind_of_a_hash_is_method_and_cost(void **state)
{
	static const struct {
		const char *hash, *kind;
	} rows[] = {
	    {SHA, "$6$rounds=1000$"},
	    {"$6$abcdefgh$nhYjN017", "$6$"},
	    {"$6$rounds$nhYjN017", "$6$"},
	    {BCRYPT, "$2b$05$"},
	    {"$y$j9T$salt$digest", "$y$j9T$"},
	    {"$y$jCT$salt$digest", "$y$jCT$"},
	    {"$gy$j9T$salt$digest", "$gy$j9T$"},
	    {"$7$CU..../....salt$digest", "$7$CU..../...."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (password_kind_len(rows[i].hash) != strlen(rows[i].kind))
			fail_msg("%s", rows[i].hash);
	}
}

static void measure(struct pace *p, const char *hash, uint64_t ms)
{
	char *taken = pace_take(p);

	assert_non_null(taken);
	assert_string_equal(taken, hash);
	assert_false(pace_is_known(p));
	pace_measured(p, taken, ms * MS);
	free(taken);
}

static void slowest_kind_decides_the_time_of_failures(void **state)
{
	struct pace p = {0};
	char *slowest;

	(void)state;
	assert_true(pace_is_known(&p));
	assert_true(pace_failure_ns(&p) == 0);
	assert_null(pace_slowest(&p));
	pace_begin(&p);
	pace_add(&p, SHA);
	pace_add(&p, BCRYPT);
	pace_add(&p, SHA);
	measure(&p, SHA, 24);
	measure(&p, BCRYPT, 56);
	assert_null(pace_take(&p));
	assert_true(pace_is_known(&p));
	assert_true(pace_failure_ns(&p) == 70 * MS);
	slowest = pace_slowest(&p);
	assert_string_equal(slowest, BCRYPT);
	free(slowest);

	pace_begin(&p); /* its last user has gone */
	pace_add(&p, SHA);
	assert_true(pace_is_known(&p));
	slowest = pace_slowest(&p);
	assert_string_equal(slowest, SHA);
	free(slowest);
	pace_begin(&p); /* and comes back: nothing is measured again */
	pace_add(&p, BCRYPT);
	assert_true(pace_is_known(&p));
	pace_fini(&p);
}

static void time_of_failures_follows_measured_hashes(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_begin(&p);
	pace_add(&p, SHA);
	pace_add(&p, BCRYPT);
	measure(&p, SHA, 20);
	measure(&p, BCRYPT, 40);
	pace_learn(&p, BCRYPT, 80 * MS); /* the machine is busy */
	assert_true(pace_failure_ns(&p) == 100 * MS);
	pace_learn(&p, SHA, 20 * MS); /* says nothing of the slowest kind */
	assert_true(pace_failure_ns(&p) == 100 * MS);
	for (int i = 0; i < 1000; i++)
		pace_learn(&p, BCRYPT, 40 * MS);
	assert_true(pace_failure_ns(&p) < 51 * MS && pace_failure_ns(&p) >= 50 * MS);
	pace_learn(&p, SHA, 60 * MS);
	assert_true(pace_failure_ns(&p) == 75 * MS);
	pace_learn(&p, BCRYPT, 60000 * MS); /* it slept */
	assert_true(pace_failure_ns(&p) == 200 * MS);
	pace_fini(&p);
}

static void kinds_beyond_the_maximum_are_ignored(void **state)
{
	char hash[32];
	struct pace p = {0};
	char *taken;

	(void)state;
	for (int round = 0; round < 3; round++) {
		pace_begin(&p);
		for (int i = 0; i < PACE_KINDS_MAX + 5; i++) {
			(void)snprintf(hash, sizeof(hash), "$6$rounds=%d$", 1000 * (round + 1) + i);
			pace_add(&p, hash);
		}
		while ((taken = pace_take(&p)) != NULL) {
			pace_measured(&p, taken, MS);
			free(taken);
		}
		assert_true(pace_is_known(&p));
	}
	pace_fini(&p);
}

/* ---- the whole ---- */

static _Atomic uint64_t fake_now_ms = 1000000;

static uint64_t fake_monotonic_ns(void *arg)
{
	(void)arg;
	return fake_now_ms * MS;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return 0;
}

struct asked {
	struct hash_request q;
	bool answered;
	uint64_t answered_ms;
};
_Static_assert(offsetof(struct asked, q.task) == 0, "a post is cast to what it is in");

static struct {
	struct answer_loop loop;
	struct authenticator *a;
	struct password_file *users;
	struct asked *waits;       /* its password must be gone before anything is waited for */
	_Atomic bool really_waits; /* waiting waits, and the clock stands */
	_Atomic unsigned hashes;
	const uint8_t *password; /* of t.waits */
	_Atomic bool wiped;
} t;

/* The names that the linker gives: --wrap. */
bool __wrap_password_check(const char *hash, struct slice password, const char *dummy);
void __wrap_condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ms);
void __real_condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ms);
void __wrap_crypto_wipe(void *data, size_t len);
void __real_crypto_wipe(void *data, size_t len);

void __wrap_crypto_wipe(void *data, size_t len)
{
	__real_crypto_wipe(data, len);
	if (data == t.password && len > 0)
		t.wiped = true;
}

static unsigned cost_ms(const char *hash)
{
	if (hash == NULL)
		return DEFAULT_MS;
	return hash[1] == '6' ? SHA_MS : BCRYPT_MS;
}

bool __wrap_password_check(const char *hash, struct slice password, const char *dummy)
{
	fake_now_ms += cost_ms(hash == NULL || password.len == 0 ? dummy : hash);
	t.hashes++;
	return hash != NULL && slice_equal(password, SLICE("secret"));
}

void __wrap_condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ms)
{
	if (t.waits != NULL && !t.really_waits) {
		assert_null(t.waits->q.password);
		assert_true(t.password == NULL || t.wiped);
	}
	if (t.really_waits)
		__real_condition_wait_for(c, m, timeout_ms);
	else
		fake_now_ms += timeout_ms;
}

/* Runs whenever the test gets to it: when it was told is what the thread saw last. */
static void on_answer(struct task *task, void *executor_arg)
{
	struct asked *asked = (struct asked *)task;

	(void)executor_arg;
	asked->answered = true;
	asked->answered_ms = fake_now_ms;
}

static void await(const struct asked *asked)
{
	answer_loop_await(&t.loop, &asked->answered);
}

static const char *hash_of(struct slice name)
{
	const struct password_entry *user = password_file_find(t.users, name);

	return user == NULL || user->locked ? NULL : user->hash;
}

/* The address is the name of the row: nobody is delayed by others. */
static bool ask(struct asked *asked, const char *address, const char *user, struct slice password)
{
	*asked = (struct asked){0};
	asked->q.task.run = on_answer;
	asked->q.executor = &t.loop.executor;
	asked->q.address = slice_of_str(address);
	asked->q.exists = password_file_find(t.users, slice_of_str(user)) != NULL;
	hash_request_fill(&asked->q, slice_of_str(user), hash_of(slice_of_str(user)), password);
	if (t.waits == asked) {
		t.password = asked->q.password;
		t.wiped = false;
	}
	return authenticator_submit(t.a, &asked->q);
}

static int start(void **state)
{
	struct errors errors = {0};
	struct asked first;

	(void)state;
	memset(&t, 0, sizeof(t));
	answer_loop_init(&t.loop);
	t.users = password_file_parse("users",
	                              SLICE("sha:id=00000000000000a1:hash=" SHA "\n"
	                                    "bcrypt:id=00000000000000a2:hash=" BCRYPT "\n"
	                                    "locked:id=00000000000000a3:hash=" SHA ":locked\n"
	                                    "card:id=00000000000000a4\n"
	                                    "cached:id=00000000000000a5:hash=" SHA "\n"),
	                              &errors);
	t.a = authenticator_new(1);
	if (t.users == NULL || t.a == NULL)
		return 1;
	authenticator_use(t.a, t.users);
	/* When this is answered everything is measured. */
	assert_false(ask(&first, "first", "cached", SLICE("secret")));
	await(&first);
	assert_true(first.q.accepted);
	hash_request_fini(&first.q);
	return t.hashes == 3 ? 0 : 1;
}

static int stop(void **state)
{
	(void)state;
	authenticator_free(t.a);
	password_file_unref(&t.users);
	answer_loop_fini(&t.loop);
	return 0;
}

static const struct {
	const char *name, *user;
	struct slice password;
} failures[] = {
    {"unknown", "eve", SLICE_INIT("secret")},
    {"locked", "locked", SLICE_INIT("secret")},
    {"certificate only", "card", SLICE_INIT("secret")},
    {"wrong, the fast method", "sha", SLICE_INIT("wrong")},
    {"wrong, the slow method", "bcrypt", SLICE_INIT("wrong")},
    {"wrong, in the success cache", "cached", SLICE_INIT("wrong")},
    {"no password", "sha", SLICE_INIT("")},
    {"unknown, no password", "eve", SLICE_INIT("")},
    {"too long a password", "sha",
     SLICE_INIT("long long long long long long long long long long long long long long long long "
                "long long long long long long long long long long long long long long long long "
                "long long long long long long long long long long long long long long long long "
                "long long long long long long long long long long long long long long long long "
                "long long long long long long long")},
};

/* Whoever asks behind them cannot tell either: the thread is busy as long. */
static void all_failures_take_the_same_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		uint64_t begin_ms = fake_now_ms;
		struct asked asked, behind;
		char other[16];

		(void)snprintf(other, sizeof(other), "behind %zu", i);
		t.waits = &asked;
		assert_false(ask(&asked, failures[i].name, failures[i].user, failures[i].password));
		assert_false(ask(&behind, other, "eve", SLICE("secret")));
		await(&behind);
		t.waits = NULL;
		assert_true(asked.answered);
		if (asked.q.accepted || asked.q.refuse_at_ms - begin_ms != FAILURE_MS ||
		    behind.answered_ms - begin_ms != 2 * FAILURE_MS)
			fail_msg("%s: %d ms, %d ms", failures[i].name,
			         (int)(asked.q.refuse_at_ms - begin_ms),
			         (int)(behind.answered_ms - begin_ms));
		hash_request_fini(&asked.q);
		hash_request_fini(&behind.q);
	}
}

static void success_is_answered_at_once(void **state)
{
	static const struct {
		const char *user;
		unsigned ms;
	} rows[] = {{"sha", SHA_MS}, {"bcrypt", BCRYPT_MS}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t begin_ms = fake_now_ms;
		struct asked asked;

		assert_false(ask(&asked, rows[i].user, rows[i].user, SLICE("secret")));
		await(&asked);
		assert_true(asked.q.accepted);
		assert_int_equal(asked.answered_ms - begin_ms, rows[i].ms);
		/* and if it is not let in after all, that is told when a failure is */
		assert_int_equal(asked.q.refuse_at_ms - begin_ms, FAILURE_MS);
		hash_request_fini(&asked.q);
		assert_true(ask(&asked, rows[i].user, rows[i].user, SLICE("secret")));
		assert_int_equal(asked.q.refuse_at_ms, 0);
		hash_request_fini(&asked.q);
	}
}

/* The delay begins with the answer, which tells nothing, and is the same for every name. */
static void delay_begins_with_the_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const char *address = failures[i].name, *user = failures[i].user;
		struct asked asked, again;
		char guess[8];
		uint64_t begin_ms;

		for (unsigned k = 0; k < 9; k++) {
			(void)snprintf(guess, sizeof(guess), "%u", k);
			assert_false(ask(&asked, address, user, slice_of_str(guess)));
			await(&asked);
			hash_request_fini(&asked.q);
		}
		begin_ms = fake_now_ms;
		assert_false(ask(&asked, address, user, failures[i].password));
		await(&asked);
		assert_false(ask(&again, address, user, SLICE("x")));
		await(&again);
		if (again.answered_ms - begin_ms != 2 * FAILURE_MS + 1000)
			fail_msg("%s: %d ms", address, (int)(again.answered_ms - begin_ms));
		hash_request_fini(&asked.q);
		hash_request_fini(&again.q);
	}
}

/* A password that is known to be wrong costs no hash, and is refused no sooner than one that is
 * not. */
static void known_failures_take_the_same_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct asked asked;
		unsigned hashes;

		assert_false(ask(&asked, failures[i].name, failures[i].user, failures[i].password));
		await(&asked);
		hash_request_fini(&asked.q);
		hashes = t.hashes;
		for (unsigned k = 0; k < 20; k++) {
			assert_true(
			    ask(&asked, failures[i].name, failures[i].user, failures[i].password));
			assert_false(asked.q.accepted);
			if (asked.q.refuse_at_ms - fake_now_ms != FAILURE_MS)
				fail_msg("%s", failures[i].name);
			hash_request_fini(&asked.q);
		}
		assert_int_equal(t.hashes, hashes);
	}
}

static void new_password_file_changes_the_time_of_failures(void **state)
{
	struct errors errors = {0};
	struct password_file *fast =
	    password_file_parse("users", SLICE("sha:id=00000000000000a1:hash=" SHA "\n"), &errors);
	struct password_file *none =
	    password_file_parse("users", SLICE("card:id=00000000000000a4\n"), &errors);
	struct asked asked;
	uint64_t begin_ms;

	(void)state;
	authenticator_use(t.a, fast);
	for (unsigned i = 0; i < 200; i++) { /* the time of bcrypt is forgotten bit by bit */
		char address[16];

		(void)snprintf(address, sizeof(address), "%u", i);
		begin_ms = fake_now_ms;
		assert_false(ask(&asked, address, "eve", SLICE("x")));
		await(&asked);
		hash_request_fini(&asked.q);
		assert_true(asked.answered_ms - begin_ms <= FAILURE_MS);
	}
	assert_int_equal(asked.answered_ms - begin_ms, SHA_MS + SHA_MS / 4 + 1);
	authenticator_use(t.a, none);
	begin_ms = fake_now_ms;
	assert_false(ask(&asked, "none", "eve", SLICE("x")));
	await(&asked);
	assert_int_equal(asked.answered_ms - begin_ms, DEFAULT_MS);
	hash_request_fini(&asked.q);
	password_file_unref(&fast);
	password_file_unref(&none);
}

/* A stop does not wait for what is kept back. */
static void stop_ends_the_wait_of_failures(void **state)
{
	struct asked asked, gone, behind;

	(void)state;
	t.really_waits = true;
	assert_false(ask(&asked, "stop", "sha", SLICE("wrong")));
	while (t.hashes < 4)
		;
	authenticator_cancel(t.a, &asked.q); /* too late: it is answered all the same */
	t.waits = &gone;
	assert_false(ask(&gone, "gone", "eve", SLICE("wrong")));
	authenticator_cancel(t.a, &gone.q); /* not hashed: nothing is left of the password */
	assert_true(t.wiped);
	await(&gone);
	t.waits = &behind;
	assert_false(ask(&behind, "behind", "eve", SLICE("wrong")));
	authenticator_stop(t.a);
	assert_true(t.wiped);
	await(&asked);
	await(&behind);
	assert_false(asked.q.accepted || gone.q.accepted || behind.q.accepted);
	hash_request_fini(&asked.q);
	hash_request_fini(&gone.q);
	hash_request_fini(&behind.q);
}

/* ---- what it costs to log in everybody ---- */

static void cost_of_all_logins_is_counted_by_kind(void **state)
{
	struct errors errors = {0};
	struct buf text = {0};
	struct password_file *file;
	struct login_cost cost;
	unsigned hashes;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		buf_printf(&text, "u%u:id=%016x:hash=%s%s\n", i, i + 1, i < 12 ? SHA : BCRYPT,
		           i == 19 ? ":locked" : "");
		if (i != 14)
			continue;
		file = password_file_parse("users", buf_slice(&text), &errors);
		login_cost_measure(file, &cost);
		assert_int_equal(cost.users, 0); /* too few to wait for each other */
		password_file_unref(&file);
	}
	buf_printf(&text, "card:id=00000000000000a4\n");
	file = password_file_parse("users", buf_slice(&text), &errors);
	assert_non_null(file);
	hashes = t.hashes;
	login_cost_measure(file, &cost);
	assert_int_equal(t.hashes - hashes, 4);
	assert_int_equal(cost.users, 19);
	assert_int_equal(cost.all_ms, 12 * SHA_MS + 7 * BCRYPT_MS);
	assert_int_equal(cost.slowest_ms, BCRYPT_MS);
	password_file_unref(&file);
	buf_fini(&text);
}

int main(void)
{
	static const struct clock_source fake = {.monotonic_ns = fake_monotonic_ns,
	                                         .wall_ms = fake_wall_ms};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kind_of_a_hash_is_method_and_cost),
	    cmocka_unit_test(slowest_kind_decides_the_time_of_failures),
	    cmocka_unit_test(time_of_failures_follows_measured_hashes),
	    cmocka_unit_test(kinds_beyond_the_maximum_are_ignored),
	    cmocka_unit_test(cost_of_all_logins_is_counted_by_kind),
	    cmocka_unit_test_setup_teardown(all_failures_take_the_same_time, start, stop),
	    cmocka_unit_test_setup_teardown(success_is_answered_at_once, start, stop),
	    cmocka_unit_test_setup_teardown(delay_begins_with_the_answer, start, stop),
	    cmocka_unit_test_setup_teardown(known_failures_take_the_same_time, start, stop),
	    cmocka_unit_test_setup_teardown(new_password_file_changes_the_time_of_failures, start,
	                                    stop),
	    cmocka_unit_test_setup_teardown(stop_ends_the_wait_of_failures, start, stop),
	};

	hash_init();
	clock_use(&fake);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
