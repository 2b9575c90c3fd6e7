/* The turn of an executor: tasks, timers, then everything that was written is sent. */
#include "base/executor.h"

#include "base/clock.h"

#define POSTS_PER_TURN 1024

_Thread_local struct executor *executor_entered;

void executor_init(struct executor *h, unsigned index, executor_turn_end_fn *turn_end, void *arg)
{
	*h = (struct executor){.index = index, .turn_end = turn_end, .arg = arg};
	mailbox_init(&h->mailbox, NULL, NULL);
	executor_update_now(h);
	h->turned_ms = h->now_ms;
}

void executor_set_wake(struct executor *h, mailbox_wake_fn *wake, void *wake_arg)
{
	h->mailbox.wake = wake;
	h->mailbox.wake_arg = wake_arg;
}

void executor_fini(struct executor *h)
{
	timers_fini(&h->timers);
	mailbox_fini(&h->mailbox);
}

void executor_enter(struct executor *h)
{
	REQUIRE(executor_entered == NULL);
	executor_entered = h;
}

void executor_leave(void)
{
	REQUIRE(executor_entered != NULL);
	executor_entered = NULL;
}

void executor_send(struct executor *h, struct task *task)
{
	/* Its own turn looks into the mailbox before it ends: no wake-up needed. */
	mailbox_send(&h->mailbox, task, executor_entered != h);
}

void executor_update_now(struct executor *h)
{
	h->now_ns = clock_monotonic_ns();
	h->now_ms = h->now_ns / 1000000;
}

void executor_woken(struct executor *h)
{
	mailbox_awake(&h->mailbox);
	executor_update_now(h);
}

/* Timers that became due since the last poll began wait for another one. True: there are some. */
static bool run_timers(struct executor *h, uint64_t polled_ms)
{
	uint64_t next_ms = timers_next(&h->timers);

	if (next_ms > h->now_ms)
		return false;
	/* mutant: timers_before_input */
	if (next_ms <= polled_ms) {
		timers_run(&h->timers, h->now_ms, h->arg);
		return false;
	}
	/* mutant: pause_not_noticed */
	if (h->now_ms - next_ms > EXECUTOR_PAUSE_MS)
		h->resumed_ms = h->now_ms;
	return true;
}

uint64_t executor_turn(struct executor *h)
{
	uint64_t polled_ms = h->turned_ms, next;
	bool more;

	REQUIRE_EXECUTOR(h);
	executor_woken(h);
	h->turned_ms = h->now_ms;
	more = mailbox_drain(&h->mailbox, POSTS_PER_TURN, h->arg);
	if (run_timers(h, polled_ms))
		more = true;
	if (h->turn_end != NULL && h->turn_end(h->arg))
		more = true;
	if (more || !mailbox_sleep(&h->mailbox))
		return 0;
	next = timers_next(&h->timers);
	if (next == UINT64_MAX)
		return UINT64_MAX;
	return next > h->now_ms ? next - h->now_ms : 0;
}
