/* Deliveries that wait: whom they may not overtake, who goes first, and how much goes in a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "routing/delivery_queue.h"
#include "routing_fixture.h"

#define GIVEN_MAX 200

/* What was given, one letter each, and what each of them costs. */
static char given[GIVEN_MAX + 1];
static size_t given_count;
static uint64_t cost;

struct fixture {
	struct routing_fixture routing;
	struct worker *w;
	struct origin *origins[4]; /* publishers */
};

static void on_open(struct worker *w)
{
	(void)w;
}

static void give(struct worker *w, struct msg *msg, const struct target_item *item)
{
	(void)item;
	assert_true(given_count < GIVEN_MAX);
	given[given_count++] = (char)msg_payload(msg).data[0];
	given[given_count] = '\0';
	w->work += cost;
}

static void setup(struct fixture *f, uint64_t its_cost)
{
	*f = (struct fixture){0};
	routing_fixture_init(&f->routing, on_open);
	f->w = f->routing.workers[0];
	for (size_t i = 0; i < 4; i++)
		f->origins[i] =
		    origin_new(false, 100 + i, SLICE("user"), SLICE("user"), SLICE("id"));
	memset(given, 0, sizeof(given));
	given_count = 0;
	cost = its_cost;
}

static void teardown(struct fixture *f)
{
	for (size_t i = 0; i < 4; i++)
		origin_unref(&f->origins[i]);
	routing_fixture_fini(&f->routing);
}

static struct msg *message(struct fixture *f, unsigned publisher, const char *topic, char name,
                           uint64_t number)
{
	struct msg_parts parts = {
	    .expires_ms = MSG_NEVER, .topic = slice_of_str(topic), .payload = slice_of(&name, 1)};
	struct msg *msg = msg_new(f->origins[publisher], &parts);

	msg->number = number;
	return msg;
}

/* It goes to so many sessions. */
static void add(struct fixture *f, unsigned publisher, const char *topic, char name,
                uint64_t number, unsigned targets)
{
	struct msg *msg = message(f, publisher, topic, name, number);
	struct target_item item = {0};

	for (unsigned i = 0; i < targets; i++) {
		item.session_id = i + 1;
		delivery_queue_add_target(f->w, msg, &item, NULL);
	}
	msg_unref(&msg);
}

static bool takes(struct fixture *f, unsigned publisher, const char *topic, uint64_t number)
{
	struct msg *msg = message(f, publisher, topic, 'x', number);
	bool taken;

	worker_begin_turn(f->w);
	taken = delivery_queue_takes(f->w, msg);
	msg_unref(&msg);
	return taken;
}

static void run_turns(struct fixture *f)
{
	for (unsigned i = 0; delivery_queue_turn(f->w, give); i++)
		assert_true(i < 1000);
}

static void nothing_waits_while_the_turn_has_a_budget(void **state)
{
	struct msg *msg;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	assert_false(takes(&f, 0, "a", 0));
	msg = message(&f, 0, "a", 'x', 0);
	f.w->work = f.w->work_until;
	assert_true(delivery_queue_takes(f.w, msg));
	msg_unref(&msg);
	teardown(&f);
}

static void a_publisher_does_not_overtake_itself_and_others_do(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1);
	add(&f, 0, "a", 'a', 0, 1);
	assert_true(takes(&f, 0, "b", 0));
	assert_false(takes(&f, 1, "a", 0));
	add(&f, 0, "b", 'b', 0, 1);
	add(&f, 0, "a", 'c', 0, 1);
	run_turns(&f);
	assert_string_equal(given, "abc");
	assert_false(takes(&f, 0, "b", 0));
	teardown(&f);
}

static void changes_of_a_retained_topic_stay_in_their_order(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 100000); /* one in each part of a turn */
	add(&f, 0, "long", 'a', 0, 3);
	add(&f, 0, "t", 'b', 1, 1);
	assert_true(takes(&f, 1, "t", 2));
	assert_false(takes(&f, 1, "t", 0)); /* it is no change */
	assert_false(takes(&f, 1, "u", 2));
	add(&f, 1, "t", 'c', 2, 1);
	add(&f, 1, "x", 'd', 0, 1); /* after its publisher's own */
	add(&f, 2, "t", 'e', 3, 1);
	add(&f, 3, "y", 'f', 0, 1);
	run_turns(&f);
	assert_int_equal(given_count, 8);
	assert_true(strchr(given, 'b') < strchr(given, 'c'));
	assert_true(strchr(given, 'c') < strchr(given, 'd'));
	assert_true(strchr(given, 'c') < strchr(given, 'e'));
	assert_true(strchr(given, 'f') < strchr(given, 'b'));
	assert_false(takes(&f, 1, "t", 4));
	teardown(&f);
}

static void a_turn_gives_a_slice_and_publishers_take_turns(void **state)
{
	struct fixture f;
	uint64_t slice;
	size_t before;

	(void)state;
	setup(&f, 0);
	slice = f.w->turn_steps / 16 + 1;
	cost = slice / 4;
	add(&f, 0, "a", 'a', 0, 50);
	add(&f, 1, "b", 'b', 0, 50);
	assert_true(delivery_queue_turn(f.w, give));
	assert_in_range(given_count, 4, 12);
	for (unsigned i = 0; i < 4; i++) {
		before = given_count;
		assert_true(delivery_queue_turn(f.w, give));
		assert_in_range(given_count - before, 1, 6);
	}
	assert_non_null(strchr(given, 'a'));
	assert_non_null(strchr(given, 'b'));
	run_turns(&f);
	assert_int_equal(given_count, 100);
	teardown(&f);
}

static void who_has_just_come_goes_first(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 0);
	cost = f.w->turn_steps; /* one is more than a slice */
	for (unsigned i = 0; i < 3; i++)
		add(&f, i, "a", (char)('a' + i), 0, 10);
	assert_true(delivery_queue_turn(f.w, give));
	given_count = 0;
	cost = 1;
	add(&f, 3, "b", 'z', 0, 1);
	(void)delivery_queue_turn(f.w, give);
	assert_int_equal(given[0], 'z');
	run_turns(&f);
	teardown(&f);
}

/* However much some have who came before it in the same turn. */
static void who_has_little_does_not_wait_for_those_who_have_much(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 0);
	cost = f.w->turn_steps / 256;
	for (unsigned i = 0; i < 2; i++)
		add(&f, i, "a", (char)('a' + i), 0, 50);
	add(&f, 2, "b", 'z', 0, 1);
	assert_true(delivery_queue_turn(f.w, give));
	assert_non_null(strchr(given, 'z'));
	run_turns(&f);
	assert_int_equal(given_count, 101);
	teardown(&f);
}

static void what_waits_is_counted_as_memory_and_given_back(void **state)
{
	struct payer *payer;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	add(&f, 0, "a", 'a', 0, 5);
	assert_true(f.w->counters.memory_bytes > 5 * sizeof(struct target_item));
	payer = payers_find(&f.w->shared->payers, PAYER_USER, SLICE("user"));
	assert_int_equal(payer_memory(payer), f.w->counters.memory_bytes);
	assert_true(shared_waits(f.w->shared));
	run_turns(&f);
	assert_int_equal(f.w->counters.memory_bytes, 0);
	assert_int_equal(payer_memory(payer), 0);
	payer_unref(&f.w->shared->payers, &payer);
	assert_false(shared_waits(f.w->shared));
	teardown(&f);
}

static void at_the_end_everything_is_given_or_dropped(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1000000);
	add(&f, 0, "a", 'a', 1, 20);
	add(&f, 1, "a", 'b', 2, 20);
	add(&f, 2, "a", 'c', 3, 20);
	delivery_queue_flush(f.w, give);
	assert_int_equal(given_count, 60);
	add(&f, 0, "a", 'a', 4, 20);
	add(&f, 1, "a", 'b', 5, 20);
	teardown(&f); /* dropped, in the order of the topic */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_waits_while_the_turn_has_a_budget),
	    cmocka_unit_test(a_publisher_does_not_overtake_itself_and_others_do),
	    cmocka_unit_test(changes_of_a_retained_topic_stay_in_their_order),
	    cmocka_unit_test(a_turn_gives_a_slice_and_publishers_take_turns),
	    cmocka_unit_test(who_has_just_come_goes_first),
	    cmocka_unit_test(who_has_little_does_not_wait_for_those_who_have_much),
	    cmocka_unit_test(what_waits_is_counted_as_memory_and_given_back),
	    cmocka_unit_test(at_the_end_everything_is_given_or_dropped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
