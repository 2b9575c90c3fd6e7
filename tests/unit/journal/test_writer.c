/* The journal on disk, step by step: what is stored, the notifications and their order, and what is
 * there after a crash.  D1 to D5 */
#include <errno.h>

#include "support/store_faulty.h"

#define R(name, ...) ((struct record){.kind = RECORD_##name, __VA_ARGS__})
#include "writer_fixture.h"

static void each_kind_of_record_survives_a_crash(void **state)
{
	struct writer_fixture t = {0};
	struct journal_group *g;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	g = group_new("all");
	add(g, R(SUBSCRIPTION, .session_id = 5, .number = 1, .value = SLICE("a/#")), NULL);
	add(g, R(SUBSCRIPTION, .session_id = 5, .number = 2, .value = SLICE("b")), NULL);
	add(g, R(INBOUND, .session_id = 5, .number = 77), NULL);
	add(g, R(INBOUND, .session_id = 5, .number = 78), NULL);
	add(g, R(QUEUE, .session_id = 5, .value = SLICE("o1")), message_of("q", 3));
	add(g, R(QUEUE, .session_id = 5, .value = SLICE("o2")), message_of("q", 4000));
	add(g, R(SENT, .session_id = 5, .number = 2, .value = SLICE("pid 9")), NULL);
	add(g, R(RETAINED, .number = 3, .name = SLICE("r")), message_of("r", 5));
	add(g, R(RETAINED, .number = 4, .name = SLICE("s"), .value = SLICE("own")), NULL);
	add(g, R(WILL, .session_id = 99, .value = SLICE("w")), message_of("w", 0));
	add(g, R(REPLAY, .session_id = 5, .number = 1, .value = SLICE("clock")), NULL);
	assert_int_equal(append_to(&t, 1, g, JOURNAL_NOW), 1);
	assert_true(turn(&t));
	require_notified(&t, 1, "all=0 ");
	restart(&t);
	/* Retained values come in the order of their hashes. */
	require_shown(&t, "retained s 4 deleted own\n"
	                  "retained r 3 r+5 \n"
	                  "session 5 state\n"
	                  "subscription 5 1 a/#\n"
	                  "subscription 5 2 b\n"
	                  "inbound 5 77 \n"
	                  "inbound 5 78 \n"
	                  "queue 5 2 from 1\n"
	                  "sent 5 2 q+4000 o2 pid 9\n"
	                  "replay 5 1 clock\n"
	                  "will 99 w+0 w\n");

	keep(&t, R(UNSUBSCRIPTION, .session_id = 5, .number = 1), NULL);
	keep(&t, R(INBOUND_DONE, .session_id = 5, .number = 77), NULL);
	keep(&t, R(QUEUE_DONE, .session_id = 5, .number = 2), NULL);
	keep(&t, R(QUEUE_DONE, .session_id = 5, .number = 2), NULL);  /* again */
	keep(&t, R(QUEUE_DONE, .session_id = 5, .number = 50), NULL); /* never was */
	keep(&t, R(RETAINED, .number = 5, .name = SLICE("s")), NULL);
	keep(&t, R(WILL_DONE, .session_id = 99), NULL);
	keep(&t, R(REPLAY_DONE, .session_id = 5, .number = 1), NULL);
	assert_int_equal(queue(&t, 5, "o3"), 3);
	restart(&t);
	require_shown(&t, "retained r 3 r+5 \n"
	                  "session 5 state\n"
	                  "subscription 5 2 b\n"
	                  "inbound 5 78 \n"
	                  "queue 5 2 from 1\n");
	assert_int_equal(
	    rows_in(&t, TABLE_SENT) + rows_in(&t, TABLE_BODY) + rows_in(&t, TABLE_BODY_REFS), 0);
	writer_fixture_fini(&t);
}

static void uncommitted_group_is_lost_by_a_crash(void **state)
{
	struct writer_fixture t = {0};
	struct journal_group *g;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	g = group_new("lost");
	add(g, R(SUBSCRIPTION, .session_id = 5, .number = 1, .value = SLICE("a")), NULL);
	append_to(&t, 0, g, JOURNAL_NOW);
	run_executors(&t);
	require_notified(&t, 0, "");
	restart(&t); /* it was waiting: freed, never completed */
	require_shown(&t, "session 5 state\n");
	require_notified(&t, 0, "");
	writer_fixture_fini(&t);
}

/* One commit for all; notices first, completions then, the page last. */
static void waiting_groups_share_one_commit_in_order(void **state)
{
	struct writer_fixture t = {0};
	struct journal_health health;
	struct journal_group *g;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	session(&t, 6);
	journal_health(t.journal, &health);
	assert_int_equal(health.commits, 2);
	for (unsigned i = 0; i < 3; i++) {
		g = group_new("g");
		add(g, R(QUEUE, .session_id = 5, .executor = &t.executors[0]), message_of("x", 1));
		add(g, R(QUEUE, .session_id = 6, .executor = &t.executors[1]), message_of("x", 1));
		add(g, R(QUEUE, .session_id = 8, .executor = &t.executors[1]), message_of("x", 1));
		append_to(&t, 1, g, JOURNAL_NOW);
	}
	append_to(&t, 0, group_new("empty"), JOURNAL_NOW);
	assert_true(turn(&t));
	require_notified(&t, 0, "+1 +4 +7 empty=0 ");
	require_notified(&t, 1, "+2 -3 +5 -6 +8 -9 g=0 g=0 g=0 ");
	journal_health(t.journal, &health);
	assert_int_equal(health.commits, 3);
	assert_int_equal(health.groups, 6);
	assert_int_equal(health.messages, 6);
	assert_int_equal(health.pending_groups, 0);
	assert_int_equal(health.pending_bytes, 0);
	assert_false(turn(&t));
	writer_fixture_fini(&t);
}

static void shared_body_is_removed_with_its_last_reference(void **state)
{
	struct writer_fixture t = {0};
	struct journal_group *g;
	struct msg *m = message_of("x", 10);

	(void)state;
	writer_fixture_open(&t);
	for (uint64_t id = 1; id <= 4; id++)
		session(&t, id);
	g = group_new(NULL);
	for (uint64_t id = 1; id <= 5; id++) /* the last session is not there */
		add(g, R(QUEUE, .session_id = id), msg_ref(m));
	msg_unref(&m);
	append_to(&t, 0, g, JOURNAL_NOW);
	turn(&t);
	assert_int_equal(rows_in(&t, TABLE_QUEUE), 4);
	assert_int_equal(rows_in(&t, TABLE_BODY), 1);
	for (uint64_t id = 1; id <= 3; id++)
		keep(&t, R(QUEUE_DONE, .session_id = id, .number = id), NULL);
	assert_int_equal(rows_in(&t, TABLE_BODY), 1);
	assert_int_equal(rows_in(&t, TABLE_BODY_REFS), 1);
	keep(&t, R(SESSION_END, .session_id = 4), NULL);
	assert_int_equal(rows_in(&t, TABLE_QUEUE), 0);
	assert_int_equal(rows_in(&t, TABLE_BODY), 0);
	assert_int_equal(rows_in(&t, TABLE_BODY_REFS), 0);
	writer_fixture_fini(&t);
}

/* Within one batch, too. Only what somebody waits for is refused. */
static void full_queue_refuses_records(void **state)
{
	struct writer_fixture t = {0};
	struct journal_group *g;
	struct msg *m = message_of("x", 100);
	size_t bytes = msg_bytes(m);

	(void)state;
	msg_unref(&m);
	writer_fixture_open(&t);
	keep(&t, R(SESSION, .session_id = 1, .number = 3, .bound_bytes = UINT64_MAX), NULL);
	keep(&t, R(SESSION, .session_id = 2, .number = 100, .bound_bytes = bytes * 2 + 1), NULL);
	for (unsigned i = 0; i < 4; i++) {
		g = group_new(NULL);
		m = message_of("x", 100);
		add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), msg_ref(m));
		add(g, R(QUEUE, .session_id = 2, .executor = &t.executors[1]), m);
		append_to(&t, 0, g, JOURNAL_NOW);
	}
	turn(&t);
	require_notified(&t, 0, "+1 +3 +5 full-7 ");
	require_notified(&t, 1, "+2 +4 full-6 full-8 ");
	assert_int_equal(rows_in(&t, TABLE_BODY), 3);
	keep(&t, R(QUEUE_DONE, .session_id = 2, .number = 2), NULL);
	g = group_new(NULL);
	add(g, R(QUEUE, .session_id = 2, .executor = &t.executors[1]), message_of("x", 100));
	append_to(&t, 0, g, JOURNAL_NOW);
	g = group_new(NULL);
	add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[1]), message_of("x", 100));
	append_to(&t, 0, g, JOURNAL_NEXT);
	turn(&t);
	require_notified(&t, 1, "+9 ");
	assert_int_equal(rows_in(&t, TABLE_QUEUE), 6);

	/* After a restart the bounds come with the session. */
	restart(&t);
	g = group_new(NULL);
	add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), message_of("x", 100));
	append_to(&t, 0, g, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 0, "+11 ");
	keep(&t, R(SESSION, .session_id = 1, .number = 6, .bound_bytes = UINT64_MAX), NULL);
	for (unsigned i = 0; i < 2; i++) {
		g = group_new(NULL);
		add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), message_of("x", 1));
		append_to(&t, 0, g, JOURNAL_NOW);
		turn(&t);
	}
	require_notified(&t, 0, "+12 full-13 ");
	writer_fixture_fini(&t);
}

static void *find_nobody(void *arg, struct slice session_value)
{
	(void)session_value;
	return arg;
}

static void drop_nobody(void *arg, void *owner)
{
	(void)arg;
	(void)owner;
}

static void add_nothing(void *owner, uint64_t bytes)
{
	(void)owner;
	(void)bytes;
}

/* No large ones. */
static bool admits_little(void *arg, const void *owner, uint64_t used, uint64_t whole,
                          uint64_t bytes)
{
	(void)arg;
	(void)owner;
	(void)used;
	(void)whole;
	return bytes < 1000;
}

/* Who is told of a refusal hears which of the bounds it was: asked later, nobody knows. */
static void refusal_says_what_is_full(void **state)
{
	struct writer_fixture t = {0};
	const struct journal_owners owners = {.find = find_nobody,
	                                      .drop = drop_nobody,
	                                      .add = add_nothing,
	                                      .admits = admits_little,
	                                      .arg = &t};
	struct journal_group *g = group_new(NULL);

	(void)state;
	writer_fixture_open(&t);
	journal_set_owners(t.journal, &owners);
	keep(&t, R(SESSION, .session_id = 1, .number = 1, .bound_bytes = UINT64_MAX), NULL);
	add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), message_of("x", 1));
	add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), message_of("x", 1));
	add(g, R(QUEUE, .session_id = 1, .executor = &t.executors[0]), message_of("x", 1000));
	add(g, R(QUEUE, .session_id = 2, .executor = &t.executors[0]), message_of("x", 1));
	append_to(&t, 0, g, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 0, "+1 full-2 share-3 -4 ");
	writer_fixture_fini(&t);
}

/* Clean start: the old one ends and the new one is there, in one group. */
static void ended_session_never_returns(void **state)
{
	struct writer_fixture t = {0};
	struct journal_group *g;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (uint64_t i = 0; i < 700; i++) {
		keep(&t, R(SUBSCRIPTION, .session_id = 5, .number = i, .value = SLICE("f")), NULL);
		queue(&t, 5, "v");
	}
	keep(&t, R(SENT, .session_id = 5, .number = 3, .value = SLICE("p")), NULL);
	keep(&t, R(WILL, .session_id = 5), message_of("w", 1));
	g = group_new("clean");
	add(g, R(SESSION_END, .session_id = 5), NULL);
	add(g, R(SESSION, .session_id = 6, .number = 10, .bound_bytes = 10000), NULL);
	append_to(&t, 0, g, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 0, "clean=0 ");
	assert_int_equal(rows_in(&t, TABLE_ENDING), 1);
	assert_int_equal(rows_in(&t, TABLE_SUBSCRIPTION), 0);
	assert_in_range(rows_in(&t, TABLE_QUEUE), 300, 500); /* bit by bit */
	g = group_new(NULL);
	add(g, R(QUEUE, .session_id = 5, .executor = &t.executors[0]), message_of("late", 1));
	add(g, R(SUBSCRIPTION, .session_id = 5, .number = 9, .value = SLICE("late")), NULL);
	append_to(&t, 0, g, JOURNAL_NOW);

	restart(&t); /* before that */
	require_shown(&t, "session 6 \nwill 5 w+1 \n");
	g = group_new(NULL);
	add(g, R(QUEUE, .session_id = 5, .executor = &t.executors[0]), message_of("late", 1));
	append_to(&t, 0, g, JOURNAL_NOW);
	assert_true(turn(&t));
	require_notified(&t, 0, "-701 ");
	while (turn(&t))
		;
	assert_int_equal(
	    rows_in(&t, TABLE_ENDING) + rows_in(&t, TABLE_QUEUE) + rows_in(&t, TABLE_SENT), 0);
	assert_int_equal(rows_in(&t, TABLE_WILL), 1);
	writer_fixture_fini(&t);
}

/* A map that grows while the last rows go: they are found again. */
static void removal_of_ended_session_goes_on_after_a_crash(void **state)
{
	bool spent = true;

	(void)state;
	for (unsigned at = 0; spent; at++) {
		struct writer_fixture t = {0};
		struct journal_group *g = group_new(NULL);

		writer_fixture_open(&t);
		session(&t, 5);
		for (uint64_t i = 0; i < 1010; i++)
			add(g, R(SUBSCRIPTION, .session_id = 5, .number = i), NULL);
		append_to(&t, 0, g, JOURNAL_NOW);
		turn(&t);
		keep(&t, R(SESSION_END, .session_id = 5), NULL);
		assert_int_equal(rows_in(&t, TABLE_SUBSCRIPTION), 10);
		store_faulty_fail(t.store, at, 1, -EAGAIN);
		while (turn(&t))
			;
		spent = store_faulty_is_spent(t.store);
		assert_int_equal(rows_in(&t, TABLE_SUBSCRIPTION) + rows_in(&t, TABLE_ENDING), 0);
		writer_fixture_fini(&t);
	}
}

/* Whatever became of them. */
static void positions_are_given_once(void **state)
{
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(queue(&t, 5, ""), i);
	keep(&t, R(QUEUE_DONE, .session_id = 5, .number = 3), NULL);
	restart(&t);
	assert_int_equal(queue(&t, 5, ""), 4);
	keep(&t, R(SESSION_END, .session_id = 5), NULL);
	restart(&t);
	assert_int_equal(queue(&t, 5, ""), 5);
	writer_fixture_fini(&t);
}

static void rows_refused_by_restore_are_removed(void **state)
{
	struct writer_fixture t = {.session_gone = 5};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	session(&t, 6);
	keep(&t, R(SUBSCRIPTION, .session_id = 5, .number = 1, .value = SLICE("f")), NULL);
	keep(&t, R(SUBSCRIPTION, .session_id = 6, .number = 1, .value = SLICE("g")), NULL);
	queue(&t, 5, "v");
	restart(&t);
	require_shown(&t, "session 5 state\nsession 6 state\nsubscription 6 1 g\n");
	assert_true(turn(&t));
	restart(&t);
	require_shown(&t, "session 6 state\nsubscription 6 1 g\n");
	assert_int_equal(rows_in(&t, TABLE_QUEUE) + rows_in(&t, TABLE_ENDING), 0);
	writer_fixture_fini(&t);
}

/* --- retained: D4 --- */

static void change(struct writer_fixture *t, uint64_t number, size_t payload,
                   enum journal_urgency urgency)
{
	struct journal_group *g = group_new(urgency == JOURNAL_NOW ? "now" : "later");

	add(g, R(RETAINED, .number = number, .name = SLICE("t")),
	    payload == 0 ? NULL : message_of("t", payload));
	append_to(t, 0, g, urgency);
}

static void retained_value_never_goes_back(void **state)
{
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	change(&t, 5, 50, JOURNAL_NOW);
	change(&t, 4, 40, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 0, "now=0 now=0 ");
	restart(&t);
	require_shown(&t, "retained t 5 t+50 \n");
	change(&t, 3, 0, JOURNAL_NOW);
	turn(&t);
	restart(&t);
	require_shown(&t, "retained t 5 t+50 \n");

	/* A newer one waits: this one is written all the same, as it is acknowledged. */
	buf_clear(&t.notified[0]);
	change(&t, 8, 80, JOURNAL_INTERVAL);
	change(&t, 7, 70, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 0, "now=0 ");
	restart(&t);
	require_shown(&t, "retained t 7 t+70 \n");
	writer_fixture_fini(&t);
}

static void newest_waiting_retained_change_is_written(void **state)
{
	struct writer_fixture t = {0};
	struct journal_health health;

	(void)state;
	writer_fixture_open(&t);
	for (uint64_t n = 1; n <= 50; n++)
		change(&t, n, n, n % 2 == 0 ? JOURNAL_NEXT : JOURNAL_INTERVAL);
	assert_false(turn(&t)); /* nothing is hastened; 49 are needless */
	journal_health(t.journal, &health);
	assert_int_equal(health.pending_groups, 1);
	assert_int_equal(health.commits, 0);
	t.now_ms += INTERVAL_MS;
	assert_true(turn(&t));
	journal_health(t.journal, &health);
	assert_int_equal(health.commits, 1);
	assert_int_equal(health.groups, 50);
	restart(&t);
	require_shown(&t, "retained t 50 t+50 \n");
	writer_fixture_fini(&t);
}

static void next_group_goes_with_the_next_commit(void **state)
{
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	change(&t, 1, 10, JOURNAL_NEXT);
	assert_false(turn(&t));
	require_notified(&t, 0, "");
	append_to(&t, 0, group_new("now"), JOURNAL_NOW);
	assert_true(turn(&t));
	require_notified(&t, 0, "later=0 now=0 ");
	change(&t, 2, 20, JOURNAL_INTERVAL);
	append_to(&t, 0, group_new("now"), JOURNAL_NOW);
	assert_true(turn(&t));
	require_notified(&t, 0, "now=0 ");
	t.now_ms += INTERVAL_MS;
	assert_true(turn(&t));
	require_notified(&t, 0, "later=0 ");
	restart(&t);
	require_shown(&t, "retained t 2 t+20 \n");
	writer_fixture_fini(&t);
}

static struct msg *expiring(struct writer_fixture *t, const char *topic, uint64_t in_ms)
{
	struct msg *m = message_of(topic, 1);

	m->expires_ms = t->now_ms + in_ms;
	return m;
}

static void expired_retained_values_are_removed(void **state)
{
	struct writer_fixture t = {.expired_retention_ms = 5000};

	(void)state;
	writer_fixture_open(&t);
	keep(&t, R(RETAINED, .number = 1, .name = SLICE("a"), .value = SLICE("own")),
	     expiring(&t, "a", 1000));
	keep(&t, R(RETAINED, .number = 2, .name = SLICE("b"), .value = SLICE("own")),
	     expiring(&t, "b", 2000));
	keep(&t, R(RETAINED, .number = 3, .name = SLICE("c")),
	     expiring(&t, "c", (uint64_t)1 << 50));
	keep(&t, R(RETAINED, .number = 4, .name = SLICE("d"), .value = SLICE("own")), NULL);
	t.now_ms += 5999; /* what else is known of the topic lasts longer than the message */
	session(&t, 1);
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 4);
	restart(&t);
	assert_true(is_shown(&t, "retained a 1 a+1 own\n"));
	t.now_ms += 1;
	turn(&t); /* the time is noted */
	restart(&t);
	assert_false(is_shown(&t, "retained a"));
	assert_true(is_shown(&t, "retained b 2 b+1 own\n"));
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 4);
	turn(&t);
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 3);
	t.now_ms += 1000;
	session(&t, 1);
	session(&t, 1);
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 2);
	restart(&t);
	assert_true(is_shown(&t, "retained c 3 c+1 \n"));
	assert_true(is_shown(&t, "retained d 4 deleted own\n"));
	writer_fixture_fini(&t);
}

/* --- waiting: durability interval --- */

static uint64_t hold_queue(struct writer_fixture *t, const char *name, bool with_retained)
{
	struct journal_group *g = group_new(name);

	add(g, R(QUEUE, .session_id = 5, .executor = &t->executors[0]), message_of("x", 1));
	if (with_retained)
		add(g, R(RETAINED, .number = 9, .name = SLICE("r")), message_of("r", 2));
	return append_to(t, 0, g, JOURNAL_INTERVAL);
}

static void done(struct writer_fixture *t, uint64_t position, enum journal_urgency urgency)
{
	struct journal_group *g = group_new("done");

	add(g, R(QUEUE_DONE, .session_id = 5, .number = position), NULL);
	append_to(t, 1, g, urgency);
}

static void queue_record_done_before_commit_is_not_written(void **state)
{
	struct writer_fixture t = {0};
	struct journal_health health;
	uint64_t position;

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	for (unsigned i = 0; i < 100; i++) {
		position = hold_queue(&t, "q", false);
		done(&t, position, i % 2 == 0 ? JOURNAL_INTERVAL : JOURNAL_NEXT);
	}
	assert_false(turn(&t));
	journal_health(t.journal, &health);
	assert_int_equal(health.cancelled, 100);
	assert_int_equal(health.commits, 1);
	assert_int_equal(health.messages, 0);
	assert_int_equal(health.pending_groups, 0);
	buf_clear(&t.notified[0]);
	buf_clear(&t.notified[1]);

	/* What else is in the group is written with the interval. */
	position = hold_queue(&t, "both", true);
	done(&t, position, JOURNAL_NOW);
	turn(&t);
	require_notified(&t, 1, "done=0 ");
	require_notified(&t, 0, "");
	t.now_ms += INTERVAL_MS;
	turn(&t);
	require_notified(&t, 0, "both=0 ");
	restart(&t);
	require_shown(&t, "retained r 9 r+2 \nsession 5 state\n");
	writer_fixture_fini(&t);
}

/* A record that refers to one that waits has that one written first. */
static void waiting_records_of_a_session_are_written_first(void **state)
{
	static const struct {
		const char *name;
		struct record held, now;
		const char *shown;
	} rows[] = {
	    {"sent",
	     {.kind = RECORD_QUEUE, .session_id = 5, .value = SLICE_INIT("v")},
	     {.kind = RECORD_SENT, .session_id = 5, .number = 1, .value = SLICE_INIT("p")},
	     "session 5 state\nqueue 5 1 from 1\nsent 5 1 m+1 v p\n"},
	    {"inbound",
	     {.kind = RECORD_INBOUND, .session_id = 5, .number = 7},
	     {.kind = RECORD_INBOUND_DONE, .session_id = 5, .number = 7},
	     "session 5 state\n"},
	    {"inbound again",
	     {.kind = RECORD_INBOUND_DONE, .session_id = 5, .number = 7},
	     {.kind = RECORD_INBOUND, .session_id = 5, .number = 7},
	     "session 5 state\ninbound 5 7 \n"},
	    {"subscription",
	     {.kind = RECORD_SUBSCRIPTION,
	      .session_id = 5,
	      .number = 1,
	      .value = SLICE_INIT("old")},
	     {.kind = RECORD_SUBSCRIPTION,
	      .session_id = 5,
	      .number = 1,
	      .value = SLICE_INIT("new")},
	     "session 5 state\nsubscription 5 1 new\n"},
	    {"session",
	     {.kind = RECORD_SESSION, .session_id = 6, .number = 9, .bound_bytes = 9999},
	     {.kind = RECORD_SUBSCRIPTION, .session_id = 6, .number = 1, .value = SLICE_INIT("f")},
	     "session 5 state\nsession 6 \nsubscription 6 1 f\n"},
	    {"will",
	     {.kind = RECORD_WILL, .session_id = 5},
	     {.kind = RECORD_WILL_DONE, .session_id = 5},
	     "session 5 state\n"},
	    {"user",
	     {.kind = RECORD_USER, .session_id = 77, .number = 3, .value = SLICE_INIT("old")},
	     {.kind = RECORD_USER, .session_id = 77, .number = 3, .value = SLICE_INIT("new")},
	     "user 77 3 new\nsession 5 state\n"},
	    {"another user of this id",
	     {.kind = RECORD_USER, .session_id = 77, .number = 3, .value = SLICE_INIT("one")},
	     {.kind = RECORD_USER, .session_id = 77, .number = 4, .value = SLICE_INIT("two")},
	     "user 77 3 one\nuser 77 4 two\nsession 5 state\n"},
	    {"a user who is forgotten",
	     {.kind = RECORD_USER, .session_id = 77, .number = 3, .value = SLICE_INIT("old")},
	     {.kind = RECORD_USER, .session_id = 77, .number = 3},
	     "session 5 state\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct writer_fixture t = {0};
		struct journal_group *g = group_new("held");

		writer_fixture_open(&t);
		session(&t, 5);
		add(g, rows[i].held,
		    rows[i].held.kind == RECORD_QUEUE || rows[i].held.kind == RECORD_WILL
		        ? message_of("m", 1)
		        : NULL);
		append_to(&t, 0, g, JOURNAL_INTERVAL);
		assert_false(turn(&t));
		g = group_new("now");
		add(g, rows[i].now, NULL);
		append_to(&t, 0, g, JOURNAL_NOW);
		assert_true(turn(&t));
		require_notified(&t, 0, "held=0 now=0 ");
		restart(&t);
		require_shown(&t, rows[i].shown);
		writer_fixture_fini(&t);
	}
}

static void stop_writes_everything(void **state)
{
	struct writer_fixture t = {0};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	hold_queue(&t, "held", true);
	change(&t, 1, 10, JOURNAL_NEXT);
	writer_fixture_stop(&t);
	require_notified(&t, 0, "held=0 later=0 ");
	restart(&t);
	assert_true(is_shown(&t, "queue 5 1 from 1\n"));
	assert_true(is_shown(&t, "retained t 1 t+10 \n"));
	writer_fixture_fini(&t);
}

/* --- time --- */

#define HOUR_MS ((int64_t)3600000)
#define TO_1970 (100000 - WRITER_FIXTURE_WALL_MS)
#define TO_2036 (10 * 365 * 24 * HOUR_MS)

static uint64_t over_at_ms;

static bool deleted_is_over(struct slice value, uint64_t time_ms)
{
	return slice_equal(value, SLICE("owner")) && time_ms >= over_at_ms;
}

/* What was known of deleted values goes without a restart, when whoever wrote it says so. */
static void deleted_retained_values_are_removed(void **state)
{
	struct writer_fixture t = {.deleted_is_over = deleted_is_over};

	(void)state;
	writer_fixture_open(&t);
	over_at_ms = journal_time_ms(t.journal, t.now_ms) + 1000;
	keep(&t, R(RETAINED, .number = 1, .name = SLICE("a"), .value = SLICE("owner")), NULL);
	keep(&t, R(RETAINED, .number = 2, .name = SLICE("b"), .value = SLICE("other")), NULL);
	keep(&t, R(RETAINED, .number = 3, .name = SLICE("c"), .value = SLICE("owner")),
	     message_of("c", 1));
	t.now_ms += 999;
	session(&t, 1);
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 3);
	t.now_ms += 1;
	session(&t, 2); /* with some commit */
	assert_int_equal(rows_in(&t, TABLE_RETAINED), 2);
	restart(&t);
	assert_true(is_shown(&t, "retained c"));
	assert_false(is_shown(&t, "retained a"));
	writer_fixture_fini(&t);
}

/* The clock was wrong when something was committed, and at the end it is right, or the other way
 * round: nothing is older than the time that the broker ran, and the time that it was down as far
 * as that is known. */
static void clock_steps_age_nothing(void **state)
{
	static const struct {
		const char *name;
		int64_t first_ms,
		    then_ms;      /* what the clock is wrong by, in the middle it changes */
		int64_t start_ms; /* at the next start, an hour later */
		bool is_stopped;  /* not killed */
		uint64_t want_down_ms;
	} rows[] = {
	    {"right", 0, 0, 0, true, HOUR_MS},
	    {"right, killed", 0, 0, 0, false, HOUR_MS},
	    {"1970, then right", TO_1970, 0, 0, true, HOUR_MS},
	    {"1970, then right, killed", TO_1970, 0, 0, false, HOUR_MS},
	    {"2036, then right", TO_2036, 0, 0, true, HOUR_MS},
	    {"2036, then right, killed", TO_2036, 0, 0, false, HOUR_MS},
	    {"right, 1970 at the start", 0, 0, TO_1970, true, 0},
	    {"right, 2036 at the start", 0, 0, TO_2036, true, 0},
	    {"right, a day back at the start", 0, 0, -24 * HOUR_MS, true, 0},
	    {"1970 to the end", TO_1970, TO_1970, 0, true, 0},
	    {"2036 to the end", TO_2036, TO_2036, 0, true, 0},
	    {"right, then a year ahead", 0, 365 * 24 * HOUR_MS, 0, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct writer_fixture t = {.clock_wrong_ms = rows[i].first_ms};
		uint64_t began_ms, stopped_ms;

		print_message("# %s\n", rows[i].name);
		writer_fixture_open(&t);
		began_ms = journal_time_ms(t.journal, t.now_ms);
		session(&t, 1);
		t.now_ms += 1500;
		t.clock_wrong_ms = rows[i].then_ms;
		assert_int_equal(journal_time_ms(t.journal, t.now_ms), began_ms + 1500);
		(void)journal_turn(t.journal, t.now_ms); /* nothing is to be committed */
		if (rows[i].is_stopped)
			writer_fixture_stop(&t);
		else
			writer_fixture_crash(&t);
		stopped_ms = began_ms + 1500;
		t.now_ms += HOUR_MS;
		t.clock_wrong_ms = rows[i].start_ms;
		writer_fixture_open(&t);
		assert_in_range(journal_last_time_ms(t.journal),
		                rows[i].is_stopped ? stopped_ms : began_ms, stopped_ms);
		assert_int_equal(journal_time_ms(t.journal, t.now_ms),
		                 stopped_ms + rows[i].want_down_ms);
		writer_fixture_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_of_record_survives_a_crash),
	    cmocka_unit_test(uncommitted_group_is_lost_by_a_crash),
	    cmocka_unit_test(waiting_groups_share_one_commit_in_order),
	    cmocka_unit_test(shared_body_is_removed_with_its_last_reference),
	    cmocka_unit_test(full_queue_refuses_records),
	    cmocka_unit_test(refusal_says_what_is_full),
	    cmocka_unit_test(ended_session_never_returns),
	    cmocka_unit_test(removal_of_ended_session_goes_on_after_a_crash),
	    cmocka_unit_test(positions_are_given_once),
	    cmocka_unit_test(rows_refused_by_restore_are_removed),
	    cmocka_unit_test(retained_value_never_goes_back),
	    cmocka_unit_test(newest_waiting_retained_change_is_written),
	    cmocka_unit_test(next_group_goes_with_the_next_commit),
	    cmocka_unit_test(expired_retained_values_are_removed),
	    cmocka_unit_test(queue_record_done_before_commit_is_not_written),
	    cmocka_unit_test(waiting_records_of_a_session_are_written_first),
	    cmocka_unit_test(stop_writes_everything),
	    cmocka_unit_test(deleted_retained_values_are_removed),
	    cmocka_unit_test(clock_steps_age_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
