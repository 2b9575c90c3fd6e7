/* A four-ary heap of borrowed timers. */
#include "base/timer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/require.h"

void timers_fini(struct timers *t)
{
	for (size_t i = 0; i < t->count; i++)
		t->heap[i]->slot = 0;
	free(t->heap);
	*t = (struct timers){0};
}

static void place_timer(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->slot = i + 1;
}

static void sift_up(struct timers *t, size_t i, struct timer *timer)
{
	while (i > 0) {
		size_t parent = (i - 1) / 4;

		if (t->heap[parent]->due_ms <= timer->due_ms)
			break;
		place_timer(t, i, t->heap[parent]);
		i = parent;
	}
	place_timer(t, i, timer);
}

static void sift_down(struct timers *t, size_t i, struct timer *timer)
{
	while (4 * i + 1 < t->count) {
		size_t first = 4 * i + 1, child = first;

		for (size_t c = first + 1; c < t->count && c < first + 4; c++) {
			if (t->heap[c]->due_ms < t->heap[child]->due_ms)
				child = c;
		}
		if (timer->due_ms <= t->heap[child]->due_ms)
			break;
		place_timer(t, i, t->heap[child]);
		i = child;
	}
	place_timer(t, i, timer);
}

void timer_disarm(struct timers *t, struct timer *timer)
{
	size_t i;
	struct timer *last;

	if (timer->slot == 0)
		return;
	i = timer->slot - 1;
	REQUIRE(i < t->count && t->heap[i] == timer);
	timer->slot = 0;
	last = t->heap[--t->count];
	if (last == timer)
		return;
	if (i > 0 && last->due_ms < t->heap[(i - 1) / 4]->due_ms)
		sift_up(t, i, last);
	else
		sift_down(t, i, last);
}

void timer_arm(struct timers *t, struct timer *timer, uint64_t due_ms)
{
	REQUIRE(timer->fire != NULL);
	timer_disarm(t, timer);
	array_reserve(t->heap, t->cap, t->count + 1);
	timer->due_ms = due_ms;
	sift_up(t, t->count++, timer);
}

/* Of a turn: what is due then is due in the next one still. */
/* mutant: timers_have_a_budget */
#define RUN_NS UINT64_C(250000)

void timers_run(struct timers *t, uint64_t now_ms, void *executor_arg)
{
	size_t budget = t->count;
	uint64_t begin_ns = 0;

	for (size_t n = 0; n < budget && t->count > 0; n++) {
		struct timer *timer = t->heap[0];

		REQUIRE(timer->slot == 1);
		if (timer->due_ms > now_ms)
			return;
		if (n == 0)
			begin_ns = clock_monotonic_ns();
		else if (clock_monotonic_ns() - begin_ns > RUN_NS)
			return;
		timer_disarm(t, timer);
		timer->fire(timer, executor_arg);
	}
}

uint64_t timers_next(const struct timers *t)
{
	return t->count == 0 ? UINT64_MAX : t->heap[0]->due_ms;
}
