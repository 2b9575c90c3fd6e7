/* See clock_watch.h. */
#include "server/clock_watch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/require.h"

#define LOOK_MS 5000
#define LATE_MS 1000 /* so much later it looks after a suspend, or a pause of the process */
#define STEP_MS 5000 /* less is slewing, or the correction of a clock that is right */

struct clock_wakeup {
	struct task task; /* first */
	struct executor *executor;
};

struct clock_watch {
	struct executor *executor;
	clock_watch_set_fn *on_set;
	struct timer timer;
	struct clock_wakeup **wakeups;
	size_t count;
	int64_t offset_ms; /* of the wall clock to the monotonic one */
	uint64_t due_ms;
};

static void on_wakeup(struct task *task, void *executor_arg)
{
	/* The turn that runs it reads the time, and fires what is due. */
	(void)task;
	(void)executor_arg;
}

/* A task may still be on its way to one that pauses. */
static void wake_others(struct clock_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (!watch->wakeups[i]->task.in_flight)
			executor_send(watch->wakeups[i]->executor, &watch->wakeups[i]->task);
	}
}

static int64_t offset_of(const struct clock_watch *watch, int64_t wall_ms)
{
	return wall_ms - (int64_t)watch->executor->now_ms;
}

static void compare_clocks(struct clock_watch *watch)
{
	int64_t wall_ms = clock_wall_ms(), offset_ms = offset_of(watch, wall_ms);
	int64_t by_ms = offset_ms - watch->offset_ms;
	char text[CLOCK_TEXT_MAX];

	if (by_ms > -STEP_MS && by_ms < STEP_MS)
		return;
	watch->offset_ms = offset_ms;
	LOG(CLOCK_SET, .clock = clock_text(wall_ms, text), .by_s = by_ms / 1000);
	watch->on_set(watch->executor->arg);
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct clock_watch *watch = container_of(timer, struct clock_watch, timer);

	(void)executor_arg;
	/* mutant: clock_watch_late */
	if (watch->executor->now_ms > watch->due_ms + LATE_MS)
		wake_others(watch);
	compare_clocks(watch);
	watch->due_ms = watch->executor->now_ms + LOOK_MS;
	executor_timer_arm(watch->executor, timer, LOOK_MS);
}

struct clock_watch *clock_watch_new(struct executor *executor, clock_watch_set_fn *on_set)
{
	struct clock_watch *watch = xnew(watch);

	watch->executor = executor;
	watch->on_set = on_set;
	watch->timer.fire = on_timer;
	return watch;
}

void clock_watch_add(struct clock_watch *watch, struct executor *other)
{
	struct clock_wakeup *wakeup = xnew(wakeup);

	REQUIRE(watch->due_ms == 0);
	wakeup->task.run = on_wakeup;
	wakeup->executor = other;
	array_extend(watch->wakeups, watch->count);
	watch->wakeups[watch->count++] = wakeup;
}

void clock_watch_start(struct clock_watch *watch)
{
	int64_t wall_ms = clock_wall_ms();
	char text[CLOCK_TEXT_MAX];

	if (!clock_is_set(wall_ms))
		LOG(CLOCK_NOT_SET, .clock = clock_text(wall_ms, text),
		    .remedy = "set it, or let it be set from the network: until then certificates "
		              "are not valid yet, those of clients are refused, and clients refuse "
		              "the broker's; nothing has to be restarted afterwards");
	watch->offset_ms = offset_of(watch, wall_ms);
	watch->due_ms = watch->executor->now_ms + LOOK_MS;
	executor_timer_arm(watch->executor, &watch->timer, LOOK_MS);
}

void clock_watch_stop(struct clock_watch *watch)
{
	if (watch != NULL)
		executor_timer_disarm(watch->executor, &watch->timer);
}

void clock_watch_free(struct clock_watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; i < watch->count; i++)
		free(watch->wakeups[i]);
	free(watch->wakeups);
	free(watch);
}
