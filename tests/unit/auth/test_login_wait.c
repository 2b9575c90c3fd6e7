/* How long a right password waits while others guess: the queue with a clock and threads that are
 * numbers, and guessers who ask again as soon as they have their answer.  A hash takes 150 ms, a
 * failure a quarter more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/hash_queue.h"
#include "base/array.h"
#include "base/hash.h"

#define HASH_MS    150
#define FAILURE_MS 188
#define RETRY_MS   100 /* after "server busy", and after a known wrong password */
#define STEP_MS    4

#define CLIENTS_MAX 1400
#define THREADS_MAX 6

/* A device that logs in again and again. */
struct client {
	struct hash_request q;
	char user[24], address[24];
	bool guesses; /* a new password each time */
	unsigned password;
	uint64_t next_ms; /* when it asks again; UINT64_MAX: it waits for its answer */
};

static struct {
	struct hash_queue queue;
	struct client clients[CLIENTS_MAX];
	size_t count;
	struct thread_of_test {
		struct hash_request *hashed;
		uint64_t free_ms;
	} threads[THREADS_MAX];
	unsigned thread_count;
	uint64_t now_ms;
	unsigned hashes;
	struct client right;
	uint64_t right_ms; /* when it got in */
} m;

static void draw_password(struct client *c)
{
	static unsigned fresh = 1000;

	if (c->guesses)
		c->password = ++fresh;
	memset(c->q.digest, 0, sizeof(c->q.digest));
	memcpy(c->q.digest, &c->password, sizeof(c->password));
}

static void client_init(struct client *c, const char *user, const char *address, unsigned password)
{
	memset(c, 0, sizeof(*c));
	(void)snprintf(c->user, sizeof(c->user), "%s", user);
	(void)snprintf(c->address, sizeof(c->address), "%s", address);
	c->q.user = c->user;
	c->q.exists = true;
	c->password = password;
	c->guesses = password == 0;
}

static void client_ask(struct client *c)
{
	draw_password(c);
	c->q.address = slice_of_str(c->address);
	c->next_ms = UINT64_MAX;
	switch (hash_queue_ask(&m.queue, &c->q, m.now_ms)) {
	case HASH_QUEUE_FREE:
		(void)hash_queue_put(&m.queue, &c->q, m.now_ms);
		break;
	case HASH_QUEUE_WAITS:
		break;
	case HASH_QUEUE_KNOWN_WRONG:
	case HASH_QUEUE_FULL:
		c->next_ms = m.now_ms + RETRY_MS;
		break;
	}
}

static void on_hashed(struct hash_request *q)
{
	struct client *c = (struct client *)q;
	bool right = c == &m.right;

	if (right)
		m.right_ms = m.now_ms;
	(void)hash_queue_done(&m.queue, q, right ? HASH_QUEUE_RIGHT : HASH_QUEUE_WRONG, m.now_ms);
	c->next_ms = m.now_ms;
}

static void run_thread(struct thread_of_test *t)
{
	uint64_t wait_ms;

	if (t->hashed != NULL && m.now_ms >= t->free_ms) {
		on_hashed(t->hashed);
		t->hashed = NULL;
	}
	while (t->hashed == NULL &&
	       (t->hashed = hash_queue_take(&m.queue, m.now_ms, &wait_ms)) != NULL) {
		struct client *c = (struct client *)t->hashed;

		if (hash_queue_is_wrong(t->hashed)) {
			(void)hash_queue_done(&m.queue, t->hashed, HASH_QUEUE_SKIPPED, m.now_ms);
			c->next_ms = m.now_ms + RETRY_MS;
			t->hashed = NULL;
			continue;
		}
		m.hashes++;
		t->free_ms = m.now_ms + (c == &m.right ? HASH_MS : FAILURE_MS);
	}
}

static void run_until(uint64_t until_ms)
{
	for (; m.now_ms < until_ms; m.now_ms += STEP_MS) {
		for (size_t i = 0; i < m.count; i++) {
			if (m.clients[i].next_ms <= m.now_ms)
				client_ask(&m.clients[i]);
		}
		for (unsigned i = 0; i < m.thread_count; i++)
			run_thread(&m.threads[i]);
	}
}

/* How long the right password waits if it comes now. */
static uint64_t wait_of_right(const char *user, const char *address)
{
	uint64_t began_ms = m.now_ms;

	client_init(&m.right, user, address, 1);
	m.right_ms = 0;
	client_ask(&m.right);
	while (m.right_ms == 0) {
		run_until(m.now_ms + STEP_MS);
		if (m.right.next_ms != UINT64_MAX && m.right_ms == 0 && m.right.next_ms <= m.now_ms)
			client_ask(&m.right);
		assert_true(m.now_ms < began_ms + 600000);
	}
	return m.right_ms - began_ms;
}

static void start(void)
{
	memset(&m, 0, sizeof(m));
	m.now_ms = 1000000;
	m.thread_count = 1;
}

static void stop(void)
{
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (m.threads[i].hashed != NULL)
			(void)hash_queue_done(&m.queue, m.threads[i].hashed, HASH_QUEUE_SKIPPED,
			                      m.now_ms);
	}
	while (hash_queue_pop(&m.queue) != NULL)
		;
	hash_queue_fini(&m.queue);
}

static void add_guessers(unsigned pairs, unsigned each, bool one_address)
{
	char user[24], address[24] = "192.0.2.1";

	for (unsigned i = 0; i < pairs; i++) {
		(void)snprintf(user, sizeof(user), "user%u", i);
		if (!one_address)
			(void)snprintf(address, sizeof(address), "198.51.100.%u", i);
		for (unsigned k = 0; k < each; k++)
			client_init(&m.clients[m.count++], user, address, 0);
	}
}

static void right_password_waits_while_64_others_guess(void **state)
{
	static const unsigned crowds[] = {1, 3, 20};

	(void)state;
	for (unsigned way = 0; way < 2 * ARRAY_LEN(crowds); way++) {
		uint64_t worst_ms = 0;
		char user[24];

		start();
		add_guessers(64, crowds[way / 2], way % 2 == 0);
		run_until(m.now_ms + 64 * (uint64_t)FAILURE_MS + 2000); /* each had an answer */
		for (unsigned i = 0; i < 60; i++) {
			uint64_t wait_ms;

			(void)snprintf(user, sizeof(user), "right%u", i);
			run_until(m.now_ms + (uint64_t)(i * 37 % 50) * 100);
			wait_ms = wait_of_right(user, i % 2 == 0 ? "192.0.2.1" : "203.0.113.1");
			if (wait_ms > worst_ms)
				worst_ms = wait_ms;
		}
		print_message("# 64 pairs, %u clients each, %s: %u ms\n", crowds[way / 2],
		              way % 2 == 0 ? "one address" : "an address each", (unsigned)worst_ms);
		assert_true(worst_ms <= 3000);
		stop();
	}
}

/* Who has been in before is first also when they all come at once, at its own address too, from
 * which others log in as well. */
static void known_ones_wait_less_than_a_crowd_of_strangers(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 8; way++) {
		bool has_session = (way & 1) != 0, one_address = (way & 2) != 0;

		start();
		client_init(&m.right, "right", "192.0.2.1", 1);
		m.right.q.address = slice_of_str(m.right.address);
		if (!has_session)
			hash_queue_hit(&m.queue, &m.right.q);
		if (way >= 4)
			guess_table_know(&m.queue.table, m.right.q.address);
		add_guessers(64, 20, one_address);
		run_until(m.now_ms + STEP_MS);
		m.right.q.has_session = has_session;
		client_ask(&m.right);
		while (m.right_ms == 0)
			run_until(m.now_ms + STEP_MS);
		assert_true(m.right_ms <= 1000000 + 3000);
		stop();
	}
}

/* The first login of a stranger is like the first guesses of others: it waits for those that came
 * before it, once, however many logins each of them has. */
static void stranger_waits_for_one_guess_of_each(void **state)
{
	static const struct {
		unsigned pairs, threads;
		uint64_t at_most_ms;
	} rows[] = {
	    {13, 1, 3000}, {26, 2, 3000}, {64, 5, 3000}, {64, 1, 14000}, {64, 2, 7000},
	};

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_LEN(rows); i++) {
		uint64_t wait_ms;

		start();
		m.thread_count = rows[i / 4].threads;
		add_guessers(rows[i / 4].pairs, i % 2 == 0 ? 1 : 20, i % 4 < 2);
		run_until(m.now_ms + STEP_MS);
		wait_ms = wait_of_right("right", "192.0.2.1");
		print_message("# %u strangers, %u threads: %u ms\n", rows[i / 4].pairs,
		              m.thread_count, (unsigned)wait_ms);
		assert_true(wait_ms <= rows[i / 4].at_most_ms);
		stop();
	}
}

/* Eight devices with old passwords, of the same user and at the same address. */
static void right_password_waits_while_eight_devices_have_old_ones(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		uint64_t worst_ms = 0;

		start();
		for (unsigned i = 0; i < 8; i++)
			client_init(&m.clients[m.count++], "anna", "192.0.2.1",
			            kind == 0 ? 100 : 100 + i);
		for (unsigned i = 0; i < 20; i++) {
			uint64_t wait_ms = wait_of_right("anna", "192.0.2.1");

			if (wait_ms > worst_ms)
				worst_ms = wait_ms;
			run_until(m.now_ms + 1000);
		}
		assert_true(worst_ms <= 10000);
		assert_int_equal(m.hashes, 20 + (kind == 0 ? 1 : 8));
		stop();
	}
}

/* A guesser of this user from this address gets no more than the rule allows, however many
 * connections it has. */
static void guesses_are_bounded(void **state)
{
	unsigned before;

	(void)state;
	start();
	add_guessers(1, 200, true);
	run_until(m.now_ms + 60000);
	assert_true(m.hashes <= 10 + 3 + 60 / 8 + 1);
	stop();
	/* Many users from one address: two a second when all are delayed. */
	start();
	add_guessers(64, 20, true);
	run_until(m.now_ms + (uint64_t)64 * 14 * FAILURE_MS + 60000);
	before = m.hashes;
	run_until(m.now_ms + 60000);
	assert_true(m.hashes - before <= 121 + 64);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(right_password_waits_while_64_others_guess),
	    cmocka_unit_test(known_ones_wait_less_than_a_crowd_of_strangers),
	    cmocka_unit_test(stranger_waits_for_one_guess_of_each),
	    cmocka_unit_test(right_password_waits_while_eight_devices_have_old_ones),
	    cmocka_unit_test(guesses_are_bounded),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
