/* The queues of a loop: their order, one job in one queue, and the time that a turn gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/container.h"
#include "net/loop_queue.h"

#define JOBS 42

static uint64_t now_ns;

static uint64_t fake_monotonic(void *arg)
{
	(void)arg;
	return now_ns;
}

static int64_t fake_wall(void *arg)
{
	(void)arg;
	return 0;
}

struct job {
	struct loop_job job;
	unsigned ran;
	enum loop_place ran_from, again;
	uint64_t costs_ns;
};

static struct loop_queue queue;
static struct job jobs[JOBS];
static char order[JOBS + 1];
static size_t order_len;

static void run(struct loop_job *job, enum loop_place place)
{
	struct job *j = container_of(job, struct job, job);

	assert_int_equal(job->place, LOOP_NOT_QUEUED);
	j->ran++;
	j->ran_from = place;
	now_ns += j->costs_ns;
	if (order_len < JOBS)
		order[order_len++] = (char)('a' + (j - jobs));
	if (j->again != LOOP_NOT_QUEUED)
		loop_queue_add(&queue, job, j->again);
}

static int set_up(void **state)
{
	static const struct clock_source fake = {fake_monotonic, fake_wall, NULL};

	(void)state;
	clock_use(&fake);
	queue = (struct loop_queue){0};
	memset(jobs, 0, sizeof(jobs));
	memset(order, 0, sizeof(order));
	order_len = 0;
	for (size_t i = 0; i < JOBS; i++)
		jobs[i].job.run = run;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_use(NULL);
	return 0;
}

static void add(size_t i, enum loop_place place)
{
	loop_queue_add(&queue, &jobs[i].job, place);
}

static void queues_run_in_their_order(void **state)
{
	(void)state;
	assert_true(loop_queue_is_empty(&queue));
	add(0, LOOP_ENDED);
	add(1, LOOP_LATER);
	add(2, LOOP_HANDSHAKE);
	add(3, LOOP_READY);
	add(4, LOOP_READY);
	add(5, LOOP_OUTPUT);
	add(6, LOOP_INPUT);
	add(7, LOOP_UNPROVEN);
	add(8, LOOP_LEAVING);
	loop_queue_run(&queue);
	assert_string_equal(order, "degfcbhia");
	assert_int_equal(jobs[0].ran_from, LOOP_ENDED);
	assert_true(loop_queue_is_empty(&queue));
}

static void a_job_is_in_one_queue(void **state)
{
	(void)state;
	add(0, LOOP_READY);
	add(1, LOOP_READY);
	add(0, LOOP_READY); /* keeps its place */
	assert_int_equal(loop_queue_count(&queue, LOOP_READY), 2);
	add(0, LOOP_LATER);
	assert_int_equal(loop_queue_count(&queue, LOOP_READY), 1);
	assert_int_equal(loop_queue_count(&queue, LOOP_LATER), 1);
	loop_queue_remove(&queue, &jobs[1].job);
	loop_queue_remove(&queue, &jobs[1].job);
	loop_queue_run(&queue);
	assert_string_equal(order, "a");
}

static void what_a_job_adds_waits_for_the_next_turn(void **state)
{
	(void)state;
	jobs[0].again = LOOP_READY;
	jobs[1].again = LOOP_ENDED;
	add(0, LOOP_READY);
	add(1, LOOP_READY);
	loop_queue_run(&queue);
	assert_string_equal(order, "ab");
	loop_queue_run(&queue);
	assert_string_equal(order, "abab");
	assert_false(loop_queue_is_empty(&queue));
}

/* As many as the time is enough for, but one in any case. */
static void some_queues_have_so_much_of_a_turn(void **state)
{
	static const struct {
		enum loop_place place;
		uint64_t costs_ns;
		unsigned run;
	} rows[] = {
	    {LOOP_READY, 1000000000, JOBS}, {LOOP_INPUT, 100000, 5},   {LOOP_INPUT, 5000000, 1},
	    {LOOP_OUTPUT, 100000, 5},       {LOOP_OUTPUT, 5000000, 1}, {LOOP_HANDSHAKE, 100000, 3},
	    {LOOP_HANDSHAKE, 5000000, 1},   {LOOP_LATER, 100000, 5},   {LOOP_LATER, 5000000, 1},
	    {LOOP_UNPROVEN, 30000, 4},      {LOOP_LEAVING, 100000, 3}, {LOOP_LEAVING, 5000000, 1},
	    {LOOP_ENDED, 100000, 3},        {LOOP_ENDED, 5000000, 1},
	};

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		unsigned ran = 0;

		set_up(state);
		for (size_t i = 0; i < JOBS; i++) {
			jobs[i].costs_ns = rows[row].costs_ns;
			add(i, rows[row].place);
		}
		loop_queue_run(&queue);
		for (size_t i = 0; i < JOBS; i++)
			ran += jobs[i].ran;
		assert_int_equal(ran, rows[row].run);
		assert_int_equal(loop_queue_count(&queue, rows[row].place), JOBS - ran);
	}
}

/* What all kinds do together is bounded, too; and none waits for ever. */
static void all_queues_share_a_turn(void **state)
{
	static const enum loop_place places[] = {LOOP_INPUT, LOOP_OUTPUT,   LOOP_HANDSHAKE,
	                                         LOOP_LATER, LOOP_UNPROVEN, LOOP_LEAVING,
	                                         LOOP_ENDED};
	unsigned ran[LOOP_PLACES] = {0};

	(void)state;
	for (size_t i = 0; i < 42; i++) {
		jobs[i].costs_ns = 100000;
		add(i, places[i % 7]);
	}
	loop_queue_run(&queue);
	for (size_t i = 0; i < 42; i++)
		ran[places[i % 7]] += jobs[i].ran;
	assert_int_equal(ran[LOOP_INPUT], 5);
	for (size_t i = 1; i < 7; i++)
		assert_int_equal(ran[places[i]], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(queues_run_in_their_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_job_is_in_one_queue, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_a_job_adds_waits_for_the_next_turn, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(some_queues_have_so_much_of_a_turn, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(all_queues_share_a_turn, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
