/* The loop alone: posts from elsewhere wake it, timers fire when they are due, signals come, and it
 * ends when it is told to. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/container.h"
#include "net/loop.h"

#define POSTS 20000

/* Facts of the loop's thread; the test reads them when that has ended. */
struct world {
	struct executor executor;
	struct loop *loop;
	struct thread thread;
	struct task tasks[POSTS];
	struct timer timer;
	unsigned ran, turns, more;
	int signum;
	uint64_t armed_ms, fired_ms;
	bool awaited;
};

static struct world w;

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static bool on_turn_end(void *arg)
{
	(void)arg;
	w.turns++;
	return w.more > 0 && w.more-- > 0;
}

static int set_up(void **state)
{
	int error;

	(void)state;
	w = (struct world){0};
	executor_init(&w.executor, 0, on_turn_end, &w);
	w.loop = loop_new(&w.executor, &error);
	assert_int_equal(error, 0);
	return w.loop == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(w.loop);
	executor_fini(&w.executor);
	return 0;
}

static void start(void)
{
	assert_int_equal(thread_start(&w.thread, "loop", run, w.loop), 0);
}

static void stop(void)
{
	loop_stop(w.loop);
	thread_join(&w.thread);
}

static void on_task(struct task *task, void *arg)
{
	(void)arg;
	REQUIRE_EXECUTOR(&w.executor);
	REQUIRE(task == &w.tasks[w.ran]);
	w.ran++;
}

/* Before it runs, while it sleeps, in bursts; all of them before it ends. */
static void tasks_from_elsewhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POSTS; i++) {
		w.tasks[i].run = on_task;
		if (i == 10)
			start();
		executor_send(&w.executor, &w.tasks[i]);
	}
	stop();
	assert_int_equal(w.ran, POSTS);
}

static void send_again(struct task *task, void *arg)
{
	(void)arg;
	if (++w.ran < 5000)
		executor_send(&w.executor, task);
	else
		loop_stop(w.loop);
}

static void sends_to_itself(void **state)
{
	(void)state;
	w.tasks[0].run = send_again;
	executor_send(&w.executor, &w.tasks[0]);
	start();
	thread_join(&w.thread);
	assert_int_equal(w.ran, 5000);
}

static void on_fire(struct timer *timer, void *arg)
{
	(void)arg;
	w.fired_ms = clock_monotonic_ms();
	if (++w.ran < 5)
		executor_timer_arm(&w.executor, timer, 3);
	else
		loop_stop(w.loop);
}

static void arm(struct task *task, void *arg)
{
	(void)task;
	(void)arg;
	w.armed_ms = clock_monotonic_ms();
	w.timer.fire = on_fire;
	executor_timer_arm(&w.executor, &w.timer, 3);
}

static void timers_fire_when_due(void **state)
{
	(void)state;
	start();
	w.tasks[0].run = arm;
	executor_send(&w.executor, &w.tasks[0]);
	thread_join(&w.thread);
	assert_int_equal(w.ran, 5);
	assert_true(w.fired_ms - w.armed_ms >= 5 * 3);
	assert_true(w.turns < 100); /* it sleeps in between */
}

static void a_turn_that_has_more_comes_again(void **state)
{
	(void)state;
	w.more = 50;
	start();
	stop();
	assert_int_equal(w.more, 0);
	assert_true(w.turns > 50);
}

static void on_signal(void *arg, int signum)
{
	REQUIRE(arg == &w);
	REQUIRE_EXECUTOR(&w.executor);
	w.signum = signum;
	loop_signals_close(w.loop);
	loop_stop(w.loop);
}

static void signals_come_in_the_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_on_signal(w.loop, SIGUSR1, on_signal, &w), 0);
	assert_int_equal(loop_on_signal(w.loop, SIGUSR2, on_signal, &w), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	loop_run(w.loop);
	assert_int_equal(w.signum, SIGUSR2);
}

static void stop_it(struct task *task, void *arg)
{
	(void)task;
	(void)arg;
	loop_stop(w.loop);
}

static void *send_to_it(void *arg)
{
	executor_send(&w.executor, arg);
	return NULL;
}

/* A task from elsewhere does not write to what the kernel watches while the loop is awake. */
static void ask_after_a_task(struct task *task, void *arg)
{
	(void)task;
	(void)arg;
	w.tasks[1].run = stop_it;
	REQUIRE(thread_start(&w.thread, "sender", send_to_it, &w.tasks[1]) == 0);
	thread_join(&w.thread);
	w.awaited = loop_is_awaited(w.loop);
}

static void ask_after_a_signal(struct task *task, void *arg)
{
	(void)task;
	(void)arg;
	REQUIRE(kill(getpid(), SIGUSR1) == 0);
	w.awaited = loop_is_awaited(w.loop);
}

static void it_knows_that_a_task_waits(void **state)
{
	(void)state;
	w.tasks[0].run = ask_after_a_task;
	executor_send(&w.executor, &w.tasks[0]);
	loop_run(w.loop);
	assert_true(w.awaited);
}

static void it_knows_that_an_event_waits(void **state)
{
	(void)state;
	assert_int_equal(loop_on_signal(w.loop, SIGUSR1, on_signal, &w), 0);
	w.tasks[0].run = ask_after_a_signal;
	executor_send(&w.executor, &w.tasks[0]);
	loop_run(w.loop);
	assert_true(w.awaited);
}

static void ask_alone(struct task *task, void *arg)
{
	(void)task;
	(void)arg;
	w.awaited = loop_is_awaited(w.loop);
	loop_stop(w.loop);
}

static void it_knows_that_nothing_waits(void **state)
{
	(void)state;
	w.awaited = true;
	w.tasks[0].run = ask_alone;
	start();
	executor_send(&w.executor, &w.tasks[0]);
	thread_join(&w.thread);
	assert_false(w.awaited);
}

static void the_file_limit_is_raised(void **state)
{
	(void)state;
	assert_true(loop_raise_file_limit() >= 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tasks_from_elsewhere, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(sends_to_itself, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(timers_fire_when_due, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_turn_that_has_more_comes_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signals_come_in_the_loop, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(it_knows_that_a_task_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(it_knows_that_an_event_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(it_knows_that_nothing_waits, set_up, tear_down),
	    cmocka_unit_test(the_file_limit_is_raised),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
