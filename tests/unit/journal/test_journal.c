/* Messages and the journal: one allocation, shared by reference; groups complete once, in order,
 * and never inside the append. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/journal_memory.h"
#include "support/held_journal.h"

static struct msg *message(const char *topic, const char *payload)
{
	struct origin *o = origin_new(false, 7, SLICE("k"), SLICE("anna"), SLICE("c1"));
	struct msg_parts parts = {
	    .qos = 1,
	    .expires_ms = MSG_NEVER,
	    .topic = slice_of_str(topic),
	    .forwarded = SLICE("\x01\x00"),
	    .payload = slice_of_str(payload),
	};
	struct msg *m = msg_new(o, &parts);

	origin_unref(&o);
	assert_null(o);
	return m;
}

static void message_owns_copies(void **state)
{
	char topic[] = "a/b", payload[] = "on";
	struct msg *m = message(topic, payload), *second = msg_ref(m);

	(void)state;
	topic[0] = payload[0] = 'X';
	msg_unref(&m);
	assert_null(m);
	msg_unref(&m);
	assert_true(slice_equal(msg_topic(second), SLICE("a/b")));
	assert_true(slice_equal(msg_payload(second), SLICE("on")));
	assert_true(slice_equal(msg_forwarded(second), SLICE("\x01\x00")));
	assert_true(slice_equal(second->origin->client_id, SLICE("c1")));
	assert_true(slice_equal(second->origin->user_name, SLICE("anna")));
	assert_int_equal(second->origin->session_id, 7);
	assert_int_equal(msg_bytes(second), sizeof(*second) + 3 + 2 + 2);
	msg_unref(&second);
}

static void message_of_the_broker_has_no_origin(void **state)
{
	struct msg_parts parts = {.expires_ms = MSG_NEVER, .topic = SLICE("$SYS/x")};
	struct msg *m = msg_new(NULL, &parts);

	(void)state;
	assert_null(m->origin);
	assert_int_equal(msg_payload(m).len, 0);
	msg_unref(&m);
}

static void message_expiry_rounds_up(void **state)
{
	static const struct {
		const char *name;
		uint64_t expires_ms, now_ms;
		bool expired;
		uint32_t left_s;
	} rows[] = {
	    {"full", 10000, 0, false, 10},
	    {"one ms gone", 10000, 1, false, 10},
	    {"exactly one second", 10000, 9000, false, 1},
	    {"the last ms", 10000, 9999, false, 1},
	    {"at the end", 10000, 10000, true, 0},
	    {"long over", 10000, 99999, true, 0},
	    {"more than fits", UINT64_MAX - 1, 0, false, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg_parts parts = {.expires_ms = rows[i].expires_ms, .topic = SLICE("t")};
		struct msg *m = msg_new(NULL, &parts);

		if (msg_is_expired(m, rows[i].now_ms) != rows[i].expired ||
		    msg_expiry_left_s(m, rows[i].now_ms) != rows[i].left_s)
			fail_msg("%s", rows[i].name);
		msg_unref(&m);
	}
}

/* What completed, in order. */
struct seen {
	unsigned count;
	int number[16];
	int status[16];
};

static void on_done(struct journal_group *g, int status, void *executor_arg)
{
	struct seen *seen = executor_arg;
	const int *number = journal_group_context(g);

	seen->number[seen->count] = *number;
	seen->status[seen->count++] = status;
}

static struct journal_group *group(const int *number)
{
	union {
		const int *in;
		void *out;
	} context = {.in = number};

	return journal_group_new(on_done, context.out);
}

static void group_copies_records(void **state)
{
	int number = 1;
	char filter[] = "a/+", options[] = "\x01\x02";
	struct msg *m = message("a/b", "on");
	struct journal_group *g = group(&number);
	const struct record *r;

	(void)state;
	journal_group_add(g, &(struct record){.kind = RECORD_SUBSCRIPTION,
	                                      .session_id = 5,
	                                      .name = slice_of_str(filter),
	                                      .value = slice_of_str(options)});
	journal_group_add(g, &(struct record){.kind = RECORD_QUEUE, .number = 9, .msg = m});
	for (uint64_t i = 0; i < 10; i++)
		journal_group_add(g, &(struct record){.kind = RECORD_INBOUND, .number = i});
	filter[0] = options[0] = 'X';
	msg_unref(&m);

	assert_int_equal(journal_group_count(g), 12);
	r = journal_group_at(g, 0);
	assert_int_equal(r->session_id, 5);
	assert_true(slice_equal(r->name, SLICE("a/+")));
	assert_true(slice_equal(r->value, SLICE("\x01\x02")));
	r = journal_group_at(g, 1);
	assert_true(slice_equal(msg_payload(r->msg), SLICE("on")));
	assert_int_equal(journal_group_at(g, 11)->number, 9);
	journal_group_free(g);
}

static void memory_journal_completes_after_append_in_order(void **state)
{
	static const int numbers[] = {0, 1, 2, 3};
	struct journal *j = journal_memory_new();
	struct seen seen = {0};
	struct executor executor;

	(void)state;
	executor_init(&executor, 0, NULL, &seen);
	executor_enter(&executor);
	assert_false(journal_is_durable(j));
	for (size_t i = 0; i < 4; i++) {
		struct journal_group *g = group(&numbers[i]);

		if (i != 2) /* an empty one completes too */
			journal_group_add(
			    g, &(struct record){.kind = RECORD_WILL_DONE, .session_id = 1});
		journal_append(j, &executor, &g, JOURNAL_NOW, NULL);
		assert_null(g);
		assert_int_equal(seen.count, 0);
	}
	executor_turn(&executor);
	assert_int_equal(seen.count, 4);
	executor_turn(&executor);
	assert_int_equal(seen.count, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(seen.number[i], i);
		assert_int_equal(seen.status[i], 0);
	}
	executor_leave();
	executor_fini(&executor);
	journal_free(j);
}

static void held_journal_completes_in_any_order(void **state)
{
	static const int numbers[] = {0, 1, 2};
	struct journal *j = journal_held_new();
	struct seen seen[2] = {{0}, {0}};
	struct executor executors[2];

	(void)state;
	assert_true(journal_is_durable(j));
	for (unsigned i = 0; i < 2; i++)
		executor_init(&executors[i], i, NULL, &seen[i]);
	for (unsigned i = 0; i < 3; i++) { /* 0 and 2 at the first home, 1 at the second */
		struct journal_group *g = group(&numbers[i]);

		executor_enter(&executors[i % 2]);
		journal_append(j, &executors[i % 2], &g, JOURNAL_NOW, NULL);
		executor_turn(&executors[i % 2]);
		executor_leave();
	}
	assert_int_equal(journal_held_count(j), 3);
	assert_int_equal(seen[0].count + seen[1].count, 0);

	journal_held_release(j, 1, -5);
	executor_enter(&executors[1]);
	executor_turn(&executors[1]);
	executor_leave();
	assert_int_equal(seen[1].count, 1);
	assert_int_equal(seen[1].number[0], 1);
	assert_int_equal(seen[1].status[0], -5);

	assert_int_equal(journal_held_count(j), 2);
	journal_held_release(j, 0, 0);
	executor_enter(&executors[0]);
	executor_turn(&executors[0]);
	executor_leave();
	assert_int_equal(seen[0].count, 1);
	assert_int_equal(seen[0].number[0], 0);

	journal_free(j); /* a crash: what waits is freed */
	assert_int_equal(seen[0].count, 1);
	executor_fini(&executors[0]);
	executor_fini(&executors[1]);
}

/* --- executors are notified of queue records --- */

struct notified {
	unsigned count;
	uint64_t position[16];
	bool stored[16];
	unsigned done_at; /* how many notifications there were when the group completed */
	unsigned pages;
};

static void on_queued(void *executor_arg, const struct record *record, enum queue_outcome outcome)
{
	struct notified *notified = executor_arg;

	notified->position[notified->count] = record->number;
	notified->stored[notified->count++] = outcome == QUEUE_STORED;
}

static void on_told_done(struct journal_group *g, int status, void *executor_arg)
{
	struct notified *notified = executor_arg;

	(void)g;
	(void)status;
	notified->done_at = 100 + notified->count;
}

static void on_page(struct task *task, void *executor_arg)
{
	struct notified *notified = executor_arg;

	(void)task;
	notified->pages++;
}

static void turn(struct executor *executor)
{
	executor_enter(executor);
	executor_turn(executor);
	executor_leave();
}

/* Two for the first home, one for the second, one for nobody. */
static struct journal_group *four_queues(struct executor *executors)
{
	struct journal_group *g = journal_group_new(on_told_done, NULL);
	struct msg *m = message("a", "b");
	struct executor *to[] = {&executors[0], &executors[1], NULL, &executors[0]};

	for (unsigned i = 0; i < 4; i++) {
		struct record r = {
		    .kind = RECORD_QUEUE, .session_id = i, .msg = m, .executor = to[i]};

		journal_group_add(g, &r);
		r.kind = RECORD_INBOUND; /* no position for these */
		journal_group_add(g, &r);
	}
	msg_unref(&m);
	return g;
}

static uint64_t append(struct journal *j, struct executor *executor, struct journal_group *g,
                       enum journal_urgency urgency)
{
	uint64_t first = 0;

	executor_enter(executor);
	journal_append(j, executor, &g, urgency, &first);
	executor_leave();
	return first;
}

static void queue_notifications_precede_completion(void **state)
{
	struct journal *journals[] = {journal_memory_new(), journal_held_new()};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct journal *j = journals[i];
		struct notified notified[2] = {{0}, {0}};
		struct executor executors[2];

		executor_init(&executors[0], 0, NULL, &notified[0]);
		executor_init(&executors[1], 1, NULL, &notified[1]);
		journal_on_queued(j, on_queued);
		assert_int_equal(append(j, &executors[1], four_queues(executors), JOURNAL_NOW), 1);
		if (i == 1)
			journal_held_release(j, 0, 0);
		turn(&executors[1]);
		turn(&executors[0]);
		assert_int_equal(notified[0].count, 2);
		assert_int_equal(notified[0].position[0], 1);
		assert_int_equal(notified[0].position[1], 4);
		assert_true(notified[0].stored[0] && notified[1].stored[0]);
		assert_int_equal(notified[1].count, 1);
		assert_int_equal(notified[1].position[0], 2);
		assert_int_equal(notified[1].done_at, 101);

		/* There is no notification of the others. */
		assert_int_equal(append(j, &executors[0], four_queues(executors), JOURNAL_NEXT), 5);
		if (i == 1)
			journal_held_release(j, 0, 0);
		turn(&executors[0]);
		turn(&executors[1]);
		assert_int_equal(notified[0].count, 2);
		assert_int_equal(notified[1].count, 1);
		assert_int_equal(notified[0].done_at, 102);
		executor_fini(&executors[0]);
		executor_fini(&executors[1]);
		journal_free(j);
	}
}

static void failed_queue_records_are_not_notified(void **state)
{
	struct journal *j = journal_held_new();
	struct notified notified[2] = {{0}, {0}};
	struct executor executors[2];

	(void)state;
	executor_init(&executors[0], 0, NULL, &notified[0]);
	executor_init(&executors[1], 1, NULL, &notified[1]);
	journal_on_queued(j, on_queued);
	append(j, &executors[0], four_queues(executors), JOURNAL_NOW);
	journal_held_release(j, 0, -5);
	turn(&executors[0]);
	turn(&executors[1]);
	assert_int_equal(notified[0].count + notified[1].count, 0);
	assert_int_equal(notified[0].done_at, 100);
	executor_fini(&executors[0]);
	executor_fini(&executors[1]);
	journal_free(j);
}

static void pages_are_empty_without_disk(void **state)
{
	struct journal *j = journal_held_new();
	struct notified notified[2] = {{0}, {0}};
	struct journal_page page = {.session_id = 3, .from = 1, .max_count = 10, .max_bytes = 1000};
	struct executor executors[2];

	(void)state;
	executor_init(&executors[0], 0, NULL, &notified[0]);
	executor_init(&executors[1], 1, NULL, &notified[1]);
	append(j, &executors[0], four_queues(executors), JOURNAL_NOW);
	page.executor = &executors[0];
	page.task.run = on_page;
	executor_enter(&executors[0]);
	journal_read(j, &page);
	executor_leave();
	turn(&executors[0]);
	assert_int_equal(notified[0].pages, 1);
	assert_int_equal(page.count, 0);
	assert_int_equal(page.read_to, 4);
	assert_false(page.more);
	journal_page_fini(&page);
	executor_fini(&executors[0]);
	executor_fini(&executors[1]);
	journal_free(j);
}

/* Store time and back; before the start of the machine is 0. */
static void store_time_converts_both_ways(void **state)
{
	struct journal *j = journal_memory_new();
	static const uint64_t some[] = {0, 1, 1000, 123456789, (uint64_t)1 << 40, MSG_NEVER};

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		assert_int_equal(journal_monotonic_ms(j, journal_time_ms(j, some[i])), some[i]);
	assert_int_equal(journal_time_ms(j, MSG_NEVER), MSG_NEVER);
	assert_int_equal(journal_time_ms(j, MSG_NEVER - 1), MSG_NEVER - 1);
	assert_int_equal(journal_monotonic_ms(j, 0), 0);
	assert_int_equal(journal_monotonic_ms(j, 5), 0);
	assert_int_equal(journal_time_ms(j, 70000) - journal_time_ms(j, 50000), 20000);
	journal_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(message_owns_copies),
	    cmocka_unit_test(message_of_the_broker_has_no_origin),
	    cmocka_unit_test(message_expiry_rounds_up),
	    cmocka_unit_test(group_copies_records),
	    cmocka_unit_test(memory_journal_completes_after_append_in_order),
	    cmocka_unit_test(held_journal_completes_in_any_order),
	    cmocka_unit_test(queue_notifications_precede_completion),
	    cmocka_unit_test(failed_queue_records_are_not_notified),
	    cmocka_unit_test(pages_are_empty_without_disk),
	    cmocka_unit_test(store_time_converts_both_ways),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
