/* The machine's clocks under watch, with clocks that are set and a machine that is suspended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/clock_watch.h"

#define RIGHT (CLOCK_EARLIEST_MS + (int64_t)1000000000)

static uint64_t now_ms;
static int64_t wall_ms;
static unsigned set_count, wakes;
static unsigned logged[EVENT_COUNT];

static uint64_t fake_monotonic_ns(void *arg)
{
	(void)arg;
	return now_ms * 1000000;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return wall_ms;
}

static void on_set(void *executor_arg)
{
	(void)executor_arg;
	set_count++;
}

static void on_wake(void *arg)
{
	(void)arg;
	wakes++;
}

static void on_log(void *arg, enum event event, struct slice line)
{
	(void)arg;
	(void)line;
	logged[event]++;
}

/* Both clocks go on; the wall clock may be set besides, and the machine's sleep makes the look
 * late. */
static void pass(struct executor *executor, uint64_t ms, int64_t set_by_ms)
{
	now_ms += ms;
	wall_ms += (int64_t)ms + set_by_ms;
	executor_enter(executor);
	/* What is due after a pause fires when the input has been read, in the turn after. */
	while (executor_turn(executor) == 0)
		;
	executor_leave();
}

static void begin(struct executor *executor, struct executor *worker, struct clock_watch **watch,
                  int64_t begin_wall_ms)
{
	static const struct clock_source clock = {.monotonic_ns = fake_monotonic_ns,
	                                          .wall_ms = fake_wall_ms};

	now_ms = 100000;
	wall_ms = begin_wall_ms;
	set_count = wakes = 0;
	memset(logged, 0, sizeof(logged));
	clock_use(&clock);
	executor_init(executor, 1, NULL, NULL);
	executor_init(worker, 0, NULL, NULL);
	executor_set_wake(worker, on_wake, NULL);
	*watch = clock_watch_new(executor, on_set);
	clock_watch_add(*watch, worker);
	executor_update_now(executor);
	executor_enter(worker);
	(void)executor_turn(worker); /* it sleeps */
	executor_leave();
	clock_watch_start(*watch);
}

static void end(struct executor *executor, struct executor *worker, struct clock_watch *watch)
{
	clock_watch_stop(watch);
	executor_enter(worker);
	(void)executor_turn(worker);
	executor_leave();
	clock_watch_free(watch);
	executor_fini(worker);
	executor_fini(executor);
	clock_use(NULL);
}

static void steps_of_the_clock_are_reported_once(void **state)
{
	struct executor executor, worker;
	struct clock_watch *watch;

	(void)state;
	begin(&executor, &worker, &watch, RIGHT);
	assert_int_equal(logged[EVENT_CLOCK_NOT_SET], 0);
	for (unsigned i = 0; i < 20; i++)
		pass(&executor, 5000, 3); /* slewed */
	assert_int_equal(set_count, 0);
	pass(&executor, 5000, -3600000);
	assert_int_equal(set_count, 1);
	assert_int_equal(logged[EVENT_CLOCK_SET], 1);
	for (unsigned i = 0; i < 20; i++)
		pass(&executor, 5000, 0);
	assert_int_equal(set_count, 1);
	assert_int_equal(wakes, 0);
	end(&executor, &worker, watch);
}

static void unset_clock_is_reported_at_the_start(void **state)
{
	struct executor executor, worker;
	struct clock_watch *watch;

	(void)state;
	begin(&executor, &worker, &watch, 100000);
	assert_int_equal(logged[EVENT_CLOCK_NOT_SET], 1);
	pass(&executor, 5000, RIGHT);
	assert_int_equal(logged[EVENT_CLOCK_SET], 1);
	assert_int_equal(set_count, 1);
	end(&executor, &worker, watch);
}

/* The worker sleeps by a clock that stood still meanwhile. */
static void workers_are_woken_after_suspend(void **state)
{
	struct executor executor, worker;
	struct clock_watch *watch;

	(void)state;
	begin(&executor, &worker, &watch, RIGHT);
	pass(&executor, 5000, 0);
	assert_int_equal(wakes, 0);
	pass(&executor, 3600000, 0);
	assert_int_equal(wakes, 1);
	pass(&executor, 3600000, 0); /* it has not come to it yet: the task is on its way */
	assert_int_equal(wakes, 1);
	executor_enter(&worker);
	(void)executor_turn(&worker);
	executor_leave();
	pass(&executor, 3600000, 0);
	assert_int_equal(wakes, 2);
	assert_int_equal(set_count, 0); /* the wall clock went on as well */
	end(&executor, &worker, watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steps_of_the_clock_are_reported_once),
	    cmocka_unit_test(unset_clock_is_reported_at_the_start),
	    cmocka_unit_test(workers_are_woken_after_suspend),
	};

	log_set_sink(on_log, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
