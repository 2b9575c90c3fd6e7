/* What the writer does where there is no space: a full disk, one that failed, one that is nearly
 * full, and too much at once. */
#include <errno.h>

#include "base/log.h"
#include "support/store_faulty.h"
#include "writer_fixture.h"

static unsigned logged[EVENT_COUNT];

static void on_line(void *arg, enum event e, struct slice line)
{
	(void)arg;
	(void)line;
	logged[e]++;
}

/* --- disk trouble: D7 --- */

static void full_disk_is_retried(void **state)
{
	static const uint64_t five[] = {5};
	static const int errors[] = {-ENOSPC, -EDQUOT};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct writer_fixture t = {0};
		struct journal_health health;
		struct asked a;

		writer_fixture_open(&t);
		session(&t, 5);
		memset(logged, 0, sizeof(logged));
		store_faulty_fail(t.store, i * 4, 3, errors[i]);
		put_to(&t, 0, five, 1, 1, JOURNAL_NOW);
		ask(&t, &a, 5, 0, 10, SIZE_MAX);
		assert_false(turn(&t));
		require_notified(&t, 0, "");
		journal_health(t.journal, &health);
		assert_int_equal(health.state, JOURNAL_WAITS);
		assert_int_equal(health.error, errors[i]);
		assert_int_equal(health.pending_groups, 1);
		put_to(&t, 0, five, 1, 1, JOURNAL_NOW); /* joins */
		assert_false(turn(&t));                 /* not yet */
		t.now_ms += 999;
		assert_false(turn(&t));
		assert_false(store_faulty_is_spent(t.store));
		t.now_ms += 1;
		assert_false(turn(&t)); /* tried, and still full, for half of it too */
		assert_true(store_faulty_is_spent(t.store));
		t.now_ms += 1000;
		assert_true(turn(&t));
		require_notified(&t, 0, "+1 +2 g=0 g=0 page ");
		assert_int_equal(a.page.count, 2);
		journal_page_fini(&a.page);
		journal_health(t.journal, &health);
		assert_int_equal(health.state, JOURNAL_OK);
		assert_int_equal(logged[EVENT_STORE_FULL], 1);
		assert_int_equal(logged[EVENT_STORE_RESUMED], 1);
		assert_int_equal(health.pending_groups, 0);
		writer_fixture_fini(&t);
	}
}

/* Groups are stored in their order, and complete when they are stored; a page shows all of them. */
static void batch_too_large_is_halved(void **state)
{
	static const uint64_t five[] = {5};
	struct writer_fixture t = {0};
	struct asked a;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	memset(logged, 0, sizeof(logged));
	for (unsigned i = 0; i < 8; i++)
		put_to(&t, 0, five, 1, 1, i == 0 ? JOURNAL_NOW : JOURNAL_NEXT);
	ask(&t, &a, 5, 0, 10, SIZE_MAX);
	store_faulty_fail(t.store, 20, 2, -ENOSPC);
	assert_true(turn(&t));
	assert_true(store_faulty_is_spent(t.store));
	require_notified(&t, 0, "+1 g=0 g=0 ");
	assert_true(turn(&t)); /* at once, and twice as much */
	require_notified(&t, 0, "g=0 g=0 g=0 g=0 ");
	assert_int_equal(a.answers, 0);
	assert_true(turn(&t));
	require_notified(&t, 0, "g=0 g=0 page ");
	assert_int_equal(a.page.count, 8);
	journal_page_fini(&a.page);
	assert_false(turn(&t));
	assert_int_equal(logged[EVENT_STORE_FULL], 0);
	writer_fixture_fini(&t);
}

static void acknowledge(struct writer_fixture *t, uint64_t position)
{
	struct journal_group *g = group_new("a");

	add(g, (struct record){.kind = RECORD_QUEUE_DONE, .session_id = 5, .number = position},
	    NULL);
	append_to(t, 0, g, JOURNAL_NOW);
}

/* Messages of 1000 bytes until the journal says that there is no space; how many. */
static unsigned fill(struct writer_fixture *t)
{
	static const uint64_t five[] = {5};
	unsigned count = 0;

	while (!journal_is_low(t->journal, 1000)) {
		put_to(t, 0, five, 1, 1000, JOURNAL_NOW);
		assert_in_range(++count, 1, 1000);
		if (count % 3 == 0)
			assert_true(turn(t));
	}
	while (turn(t))
		;
	return count;
}

static void removing_records_find_space(void **state)
{
	struct writer_fixture t = {0};
	struct journal_health health;
	unsigned count, taken = 0;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	writer_fixture_crash(&t);
	store_image_bound(t.image, store_image_bytes(t.image) + 200000, 0);
	writer_fixture_open(&t);
	restart(&t);
	memset(logged, 0, sizeof(logged));
	count = fill(&t);
	assert_in_range(count, 100, 199); /* the reserve is whole */
	assert_int_equal(logged[EVENT_STORE_FULL], 1);
	journal_health(t.journal, &health);
	assert_int_equal(health.state, JOURNAL_LOW_SPACE);
	assert_int_equal(health.error, -ENOSPC);
	assert_int_equal(health.pending_groups, 0); /* every group is stored */
	buf_clear(&t.notified[0]);
	t.rooms = 0;
	while (journal_free_space(t.journal) == 0) {
		acknowledge(&t, ++taken);
		assert_true(turn(&t));
		assert_in_range(taken, 1, count);
	}
	assert_in_range(taken, 8, 20); /* not one in, one out */
	assert_int_equal(t.rooms, EXECUTORS);
	for (unsigned i = 0; i < 5; i++) { /* it has to last */
		assert_int_equal(logged[EVENT_STORE_RESUMED], 0);
		t.now_ms += 1000;
		assert_false(turn(&t));
	}
	assert_int_equal(logged[EVENT_STORE_RESUMED], 1);
	journal_health(t.journal, &health);
	assert_int_equal(health.state, JOURNAL_OK);
	assert_true(fill(&t) >= taken - 2);
	writer_fixture_fini(&t);
}

/* Room that others made is seen without a commit. */
static void journal_is_low_until_there_is_space(void **state)
{
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	store_image_bound(t.image, store_image_bytes(t.image) + 100000, 0);
	memset(logged, 0, sizeof(logged));
	t.now_ms += 1000;
	session(&t, 6); /* it looks once a second */
	fill(&t);
	assert_int_equal(logged[EVENT_STORE_FULL], 1);
	t.rooms = 0;
	store_image_bound(t.image, store_image_bytes(t.image) + 1000000, 0);
	t.now_ms += 999;
	assert_false(turn(&t));
	assert_int_equal(journal_free_space(t.journal), 0);
	t.now_ms += 1;
	assert_false(turn(&t));
	assert_true(journal_free_space(t.journal) > 0);
	assert_int_equal(t.rooms, EXECUTORS);
	assert_int_equal(logged[EVENT_STORE_RESUMED], 0);
	t.now_ms += 5000;
	assert_false(turn(&t));
	assert_int_equal(logged[EVENT_STORE_RESUMED], 1);
	writer_fixture_fini(&t);
}

/* Nothing completes any more; who waits learns it at the stop. */
static void failed_disk_is_not_used_again(void **state)
{
	static const uint64_t five[] = {5};

	(void)state;
	for (unsigned at = 0; at < 10; at++) {
		struct writer_fixture t = {0};
		struct journal_health health;
		struct asked a, late;
		struct journal_group *g;

		writer_fixture_open(&t);
		session(&t, 5);
		put_to(&t, 0, five, 1, 1, JOURNAL_NOW);
		put_to(&t, 0, five, 1, 2000, JOURNAL_NOW);
		ask(&t, &a, 5, 0, 10, SIZE_MAX);
		store_faulty_fail(t.store, at, 1, -EIO);
		assert_false(turn(&t));
		assert_true(store_faulty_is_spent(t.store));
		put_to(&t, 0, five, 1, 3, JOURNAL_NOW);
		put_to(&t, 0, five, 1, 4, JOURNAL_INTERVAL);
		g = group_new(NULL); /* nobody waits for it: it is dropped */
		add(g, (struct record){.kind = RECORD_RETAINED, .number = 1, .name = SLICE("r")},
		    message_of("r", 1000));
		append_to(&t, 0, g, JOURNAL_NEXT);
		t.now_ms += 100000;
		assert_false(turn(&t));
		journal_health(t.journal, &health);
		assert_int_equal(health.state, JOURNAL_FAILED);
		assert_int_equal(logged[EVENT_STORE_FAILED], at + 1);
		assert_int_equal(health.error, -EIO);
		assert_int_equal(health.pending_groups, 4);
		require_notified(&t, 0, "");
		journal_stop(t.journal);
		run_executors(&t);
		require_notified(&t, 0, "page g=-125 g=-125 g=-125 g=-125 ");
		assert_int_equal(a.page.status, -ECANCELED);
		assert_int_equal(a.page.count, 0);
		journal_page_fini(&a.page);
		ask(&t, &late, 5, 0, 10, SIZE_MAX);
		put_to(&t, 0, five, 1, 5, JOURNAL_NOW);
		run_executors(&t);
		assert_int_equal(late.page.status, -ECANCELED);
		journal_page_fini(&late.page);
		require_notified(&t, 0, "page g=-125 ");
		restart(&t);
		require_shown(&t, "session 5 state\n");
		writer_fixture_fini(&t);
	}
}

/* --- back-pressure --- */

static void space_is_reported_after_it_was_full(void **state)
{
	static const uint64_t five[] = {5};
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (unsigned i = 0; i < 7; i++)
		put_to(&t, 0, five, 1, (size_t)1 << 20, JOURNAL_NOW);
	assert_false(journal_is_full(t.journal));
	turn(&t);
	assert_int_equal(t.rooms, 0); /* it was not */
	for (unsigned i = 0; i < 9; i++)
		put_to(&t, 0, five, 1, (size_t)1 << 20, JOURNAL_NOW);
	assert_true(journal_is_full(t.journal));
	turn(&t);
	assert_false(journal_is_full(t.journal));
	assert_int_equal(t.rooms, EXECUTORS);
	turn(&t);
	assert_int_equal(t.rooms, EXECUTORS);
	writer_fixture_fini(&t);
}

/* A home that stands still holds up those who publish to its sessions. */
static void unnotified_groups_still_wait(void **state)
{
	static const uint64_t five[] = {5};
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (unsigned i = 0; i < 9; i++)
		put_to(&t, 1, five, 1, (size_t)1 << 20, JOURNAL_NOW);
	assert_true(journal_turn(t.journal, t.now_ms));
	assert_true(journal_is_full(t.journal));
	executor_enter(&t.executors[1]); /* the completions, not the notifications */
	while (mailbox_drain(&t.executors[1].mailbox, 100, &t.notified[1]))
		;
	executor_leave();
	assert_true(journal_is_full(t.journal));
	assert_int_equal(t.rooms, 0);
	run_executors(&t);
	assert_false(journal_is_full(t.journal));
	assert_int_equal(t.rooms, EXECUTORS);
	writer_fixture_fini(&t);
}

/* What waits for the interval is written before it makes the journal full. */
static void waiting_groups_do_not_fill_the_journal(void **state)
{
	static const uint64_t five[] = {5};
	struct writer_fixture t = {0};
	struct journal_health health;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (unsigned i = 0; i < 40; i++) {
		put_to(&t, 0, five, 1, (size_t)1 << 18, JOURNAL_INTERVAL);
		turn(&t);
		assert_false(journal_is_full(t.journal));
	}
	journal_health(t.journal, &health);
	assert_in_range(health.commits, 2, 5);
	writer_fixture_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(full_disk_is_retried),
	    cmocka_unit_test(batch_too_large_is_halved),
	    cmocka_unit_test(removing_records_find_space),
	    cmocka_unit_test(journal_is_low_until_there_is_space),
	    cmocka_unit_test(failed_disk_is_not_used_again),
	    cmocka_unit_test(space_is_reported_after_it_was_full),
	    cmocka_unit_test(unnotified_groups_still_wait),
	    cmocka_unit_test(waiting_groups_do_not_fill_the_journal),
	};

	log_set_sink(on_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
