/* Pages of queues: what they show, how they are cut, and what they wait for. */
#include <errno.h>
#include <inttypes.h>

#include "support/store_faulty.h"
#include "writer_fixture.h"

/* Inline, large, shared; with and without a value. */
static void page_shows_queue(void **state)
{
	struct writer_fixture t = {0};
	struct asked a;
	static const uint64_t both[] = {4, 5}, five[] = {5}, four[] = {4};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 4);
	session(&t, 5);
	put_to(&t, 0, both, 2, 10, JOURNAL_NOW);   /* 1, 2 */
	put_to(&t, 0, five, 1, 5000, JOURNAL_NOW); /* 3 */
	put_to(&t, 0, four, 1, 20, JOURNAL_NOW);   /* 4 */
	put_to(&t, 0, five, 1, 0, JOURNAL_NOW);    /* 5 */
	keep(
	    &t,
	    (struct record){.kind = RECORD_SENT, .session_id = 5, .number = 3, .value = SLICE("p")},
	    NULL);
	read_now(&t, &a, 5, 0, 100, SIZE_MAX);
	assert_int_equal(a.page.count, 3);
	assert_false(a.page.more);
	assert_int_equal(a.page.read_to, 5);
	for (size_t i = 0; i < 3; i++) {
		static const uint64_t positions[] = {2, 3, 5};
		static const size_t payloads[] = {10, 5000, 0};
		const struct journal_page_item *item = &a.page.items[i];

		assert_int_equal(item->position, positions[i]);
		assert_int_equal(item->sent, positions[i] == 3);
		assert_int_equal(msg_payload(item->msg).len, payloads[i]);
		assert_true(slice_equal(msg_topic(item->msg), SLICE("topic")));
		assert_true(slice_equal(item->msg->origin->user_key, SLICE("key")));
		assert_ptr_equal(item->msg->origin, a.page.items[0].msg->origin);
		assert_true(slice_equal(item->value, SLICE("value")));
	}
	journal_page_fini(&a.page);

	read_now(&t, &a, 4, 2, 100, SIZE_MAX);
	assert_int_equal(a.page.count, 1);
	assert_int_equal(a.page.items[0].position, 4);
	assert_int_equal(a.page.items[0].value.len, 0);
	journal_page_fini(&a.page);

	read_now(&t, &a, 6, 0, 100, SIZE_MAX); /* no such session */
	assert_int_equal(a.page.count, 0);
	assert_int_equal(a.page.read_to, 5);
	assert_false(a.page.more);
	journal_page_fini(&a.page);
	writer_fixture_fini(&t);
}

static void page_is_limited_by_count_and_bytes(void **state)
{
	struct writer_fixture t = {0};
	struct asked a;
	static const uint64_t five[] = {5};
	struct msg *m = message_of("topic", 100);
	size_t each = msg_bytes(m);
	static const struct {
		const char *name;
		uint64_t from;
		uint32_t max_count;
		bool more;
		size_t messages; /* max_bytes: of so many */
		size_t count;
		uint64_t read_to;
	} rows[] = {
	    {"all", 0, 100, false, 100, 10, 10},
	    {"just all", 0, 10, false, 10, 10, 10},
	    {"by count", 0, 4, true, 100, 4, 4},
	    {"by bytes", 0, 100, true, 6, 6, 6},
	    {"the rest", 7, 100, false, 100, 4, 10},
	    {"one is always given", 3, 100, true, 0, 1, 3},
	    {"the last one", 10, 1, false, 0, 1, 10},
	    {"behind the last", 11, 5, false, 5, 0, 10},
	};

	(void)state;
	msg_unref(&m);
	writer_fixture_open(&t);
	session(&t, 5);
	for (unsigned i = 0; i < 10; i++)
		put_to(&t, 0, five, 1, 100, JOURNAL_NOW);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_now(&t, &a, 5, rows[i].from, rows[i].max_count, rows[i].messages * each);
		if (a.page.count != rows[i].count || a.page.more != rows[i].more ||
		    a.page.read_to != rows[i].read_to)
			fail_msg("%s: %zu, %d, %" PRIu64, rows[i].name, a.page.count, a.page.more,
			         a.page.read_to);
		journal_page_fini(&a.page);
	}
	writer_fixture_fini(&t);
}

/* It comes after everything that was appended before, whether that waits or not. */
static void page_shows_everything_appended_before(void **state)
{
	struct writer_fixture t = {0};
	struct asked a;
	static const uint64_t five[] = {5};

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	put_to(&t, 1, five, 1, 1, JOURNAL_INTERVAL);
	put_to(&t, 0, five, 1, 2, JOURNAL_NOW);
	put_to(&t, 0, five, 1, 3, JOURNAL_NEXT);
	read_now(&t, &a, 5, 1, 10, SIZE_MAX);
	require_notified(&t, 0, "+2 g=0 g=0 page ");
	require_notified(&t, 1, "g=0 ");
	assert_int_equal(a.page.count, 3);
	journal_page_fini(&a.page);
	writer_fixture_fini(&t);
}

/* Failing at each call in turn, the batch with its pages is done anew, and nothing twice. */
static void failed_batch_is_repeated(void **state)
{
	static const uint64_t all[] = {4, 5, 6};
	unsigned failures = 0;

	(void)state;
	for (unsigned at = 0, spent = 1; spent != 0; at++) {
		struct writer_fixture t = {0};
		struct journal_health health;
		struct asked a;

		writer_fixture_open(&t);
		for (uint64_t id = 4; id <= 6; id++)
			session(&t, id);
		put_to(&t, 0, all, 3, 10, JOURNAL_NOW);
		turn(&t);
		keep(&t, (struct record){.kind = RECORD_SESSION_END, .session_id = 6}, NULL);
		buf_clear(&t.notified[0]);
		put_to(&t, 0, all, 3, 2000, JOURNAL_NOW);
		put_to(&t, 0, all + 1, 1, 5, JOURNAL_NOW);
		for (uint64_t id = 4; id <= 5; id++) {
			struct journal_group *g = group_new("done");

			add(g,
			    (struct record){
				.kind = RECORD_QUEUE_DONE, .session_id = id, .number = id - 3},
			    NULL);
			add(g,
			    (struct record){.kind = RECORD_SESSION_END,
			                    .session_id = 4 + 100 * (id - 4)},
			    NULL);
			append_to(&t, 0, g, JOURNAL_NOW);
		}
		ask(&t, &a, 5, 0, 10, SIZE_MAX);
		store_faulty_fail(t.store, at, 1 + at % 3, -EAGAIN);
		turn(&t);
		spent = store_faulty_is_spent(t.store);
		failures += spent;
		store_faulty_fail(t.store, 0, 0, 0);
		while (turn(&t))
			;
		require_notified(&t, 0, "+4 +5 -6 +7 g=0 g=0 done=0 done=0 page ");
		assert_int_equal(a.page.count, 2);
		assert_int_equal(a.page.items[1].position, 7);
		journal_page_fini(&a.page);
		journal_health(t.journal, &health);
		assert_int_equal(health.messages, 3 + 3);
		assert_int_equal(rows_in(&t, TABLE_QUEUE), 2);
		assert_int_equal(rows_in(&t, TABLE_BODY), 1);
		assert_int_equal(rows_in(&t, TABLE_BODY_REFS), 1);
		assert_int_equal(rows_in(&t, TABLE_ENDING), 0);
		restart(&t);
		require_shown(&t, "session 5 state\nqueue 5 2 from 5\n");
		writer_fixture_fini(&t);
	}
	assert_true(failures > 30);
}

static void damaged_row_fails_the_journal(void **state)
{
	struct writer_fixture t = {0};
	struct journal_visitor nothing = {0};
	const uint8_t key[] = {0, 0, 0, 0, 0, 0, 0, 5};
	char text[STORE_ERROR_TEXT];

	(void)state;
	writer_fixture_open(&t);
	session(&t, 5);
	writer_fixture_crash(&t);
	assert_true(store_image_damage(t.image, TABLE_SESSION, slice_of(key, sizeof(key))));
	writer_fixture_open(&t);
	assert_int_equal(journal_restore(t.journal, &nothing, NULL, text), -EBADMSG);
	assert_non_null(strstr(text, "table session"));
	assert_non_null(strstr(text, "broker-store check"));
	writer_fixture_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(page_shows_queue),
	    cmocka_unit_test(page_is_limited_by_count_and_bytes),
	    cmocka_unit_test(page_shows_everything_appended_before),
	    cmocka_unit_test(failed_batch_is_repeated),
	    cmocka_unit_test(damaged_row_fails_the_journal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
