/* The part of a queue that is on disk only: what is left there comes back, in order, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/identity.h"
#include "base/list.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"
#include "session/client_link.h"
#include "session/disk_queue.h"
#include "session/inflight/inflight.h"
#include "session/session_lifecycle.h"
#include "world.h"

#define MESSAGES 8

struct fixture {
	struct world *world;
	struct worker *worker;
	struct session *session;
	struct client_link link; /* of a client that is connected, and takes nothing */
	struct msg *messages[MESSAGES];
	uint64_t first; /* position of the first; they are in the store */
};

static void put_messages(struct fixture *f)
{
	struct target_item item = {.session_id = f->session->id, .qos = 1};
	struct journal_group *group = journal_group_new(NULL, NULL);

	for (unsigned i = 0; i < MESSAGES; i++) {
		char topic[8];
		struct msg_parts parts = {.qos = 1, .expires_ms = MSG_NEVER, .payload = SLICE("x")};

		snprintf(topic, sizeof(topic), "t/%u", i);
		parts.topic = slice_of_str(topic);
		f->messages[i] = msg_new(f->session->origin, &parts);
		record_batch_queue(f->worker, group, &item, f->messages[i], false);
	}
	record_batch_append(f->worker, &group, JOURNAL_NOW, &f->first);
}

/* Turns of all threads, until nothing moves. */
static void run(struct fixture *f)
{
	executor_leave();
	world_run(f->world);
	executor_enter(&f->worker->executor);
}

static int setup(void **state)
{
	struct world_settings settings = {.seed = 1, .workers = 1, .durable = true};
	struct identity *identity = identity_new(IDENTITY_PASSWORD, SLICE("u"), 1, 0);
	static struct fixture f;
	struct session_key key;
	struct payers *payers;

	f = (struct fixture){.world = world_new(&settings)};
	f.world->journal_paused = false;
	f.worker = f.world->server->workers[0];
	payers = &f.worker->shared->payers;
	executor_enter(&f.worker->executor);
	key = session_key_of(identity->key, SLICE("c"));
	f.session = session_lifecycle_new(f.worker, identity, &key, true,
	                                  payers_find(payers, PAYER_USER, identity->key));
	f.session->expiry_s = EXPIRY_NEVER;
	assert_true(shared_session_take(f.worker->shared, identity->key, UINT32_MAX));
	identity_unref(&identity);
	(void)session_lifecycle_detach(f.session, false);
	put_messages(&f);
	run(&f);
	f.link.worker = f.worker;
	f.session->link = &f.link;
	f.link.session = f.session;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->session->link = NULL;
	for (unsigned i = 0; i < MESSAGES; i++)
		msg_unref(&f->messages[i]);
	executor_leave();
	world_free(f->world);
	return 0;
}

/* In memory now: the messages first .. last, in order. */
static void require_waiting(const struct fixture *f, unsigned first, unsigned last)
{
	const struct inflight *o;
	unsigned i = first;

	DL_FOREACH (f->session->waiting.head, o) {
		assert_true(i <= last);
		assert_int_equal(o->position, f->first + i);
		i++;
	}
	assert_int_equal(i, last + 1);
}

static void leave(struct fixture *f, unsigned i)
{
	assert_true(disk_queue_leave_behind(f->session, f->first + i, f->messages[i]));
}

static void page_gives_what_was_left_on_disk(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MESSAGES; i++)
		leave(f, i);
	assert_int_equal(disk_queue_count(f->session), MESSAGES);
	disk_queue_pump(f->session);
	run(f);
	require_waiting(f, 0, MESSAGES - 1);
	assert_int_equal(disk_queue_count(f->session), 0);
	assert_int_equal(disk_queue_bytes(f->session), 0);
	assert_true(disk_queue_has_given(f->session, f->first));
	assert_true(disk_queue_has_given(f->session, f->first + MESSAGES - 1));
}

static void message_before_what_is_in_memory_stays_in_memory(void **state)
{
	struct fixture *f = *state;
	struct delivery d = {.qos = 1, .position = f->first + 4};

	inflight_append(f->session, &f->session->waiting, inflight_new(f->messages[4], &d, 1));
	assert_false(disk_queue_leave_behind(f->session, f->first + 3, f->messages[3]));
	assert_int_equal(disk_queue_count(f->session), 0);
	leave(f, 5);
}

static void client_that_leaves_keeps_its_queue_on_disk_only(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		struct delivery d = {.qos = 1, .position = f->first + i};

		inflight_append(f->session, &f->session->waiting,
		                inflight_new(f->messages[i], &d, 1));
	}
	for (unsigned i = 4; i < MESSAGES; i++)
		leave(f, i);
	disk_queue_page_out(f->session);
	assert_int_equal(f->session->waiting.count, 0);
	assert_int_equal(disk_queue_count(f->session), MESSAGES);
	disk_queue_pump(f->session);
	run(f);
	require_waiting(f, 0, MESSAGES - 1);
}

/* The page that is being read begins after it: the values would be skipped. */
static void rest_of_a_replay_is_left_while_a_page_is_read(void **state)
{
	struct fixture *f = *state;
	uint64_t bytes = 0;

	for (unsigned i = 4; i < MESSAGES; i++)
		leave(f, i);
	for (unsigned i = 0; i < 4; i++)
		bytes += msg_bytes(f->messages[i]);
	disk_queue_pump(f->session);
	assert_true(disk_queue_leave_rest(f->session, f->first, 4, bytes));
	run(f);
	disk_queue_pump(f->session);
	run(f);
	require_waiting(f, 0, MESSAGES - 1);
	assert_int_equal(disk_queue_count(f->session), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(page_gives_what_was_left_on_disk),
	    TEST(message_before_what_is_in_memory_stays_in_memory),
	    TEST(client_that_leaves_keeps_its_queue_on_disk_only),
	    TEST(rest_of_a_replay_is_left_while_a_page_is_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
