/* The turn of a home: posts, timers, then everything that was written goes out. */
#include "base/home.h"

#include "base/clock.h"

#define POSTS_PER_TURN 1024

static _Thread_local struct home *current;

void home_init(struct home *h, unsigned index, home_turn_end_fn *turn_end, void *arg)
{
	*h = (struct home){.index = index, .turn_end = turn_end, .arg = arg};
	inbox_init(&h->inbox, NULL, NULL);
	home_update_now(h);
}

void home_set_wake(struct home *h, inbox_wake_fn *wake, void *wake_arg)
{
	h->inbox.wake = wake;
	h->inbox.wake_arg = wake_arg;
}

void home_fini(struct home *h)
{
	timers_fini(&h->timers);
	inbox_fini(&h->inbox);
}

void home_enter(struct home *h)
{
	REQUIRE(current == NULL);
	current = h;
}

void home_leave(void)
{
	current = NULL;
}

struct home *home_current(void)
{
	return current;
}

void home_post(struct home *h, struct post *post)
{
	/* Its own turn looks into the inbox before it ends: no wake-up needed. */
	inbox_post(&h->inbox, post, current != h);
}

void home_update_now(struct home *h)
{
	h->now_ms = clock_monotonic_ms();
}

void home_woken(struct home *h)
{
	inbox_awake(&h->inbox);
	home_update_now(h);
}

uint64_t home_turn(struct home *h)
{
	bool more;
	uint64_t next;

	REQUIRE_HOME(h);
	home_woken(h);
	more = inbox_drain(&h->inbox, POSTS_PER_TURN, h->arg);
	timers_run(&h->timers, h->now_ms, h->arg);
	if (h->turn_end != NULL && h->turn_end(h->arg))
		more = true;
	if (more || !inbox_sleep(&h->inbox))
		return 0;
	next = timers_next(&h->timers);
	if (next == UINT64_MAX)
		return UINT64_MAX;
	return next > h->now_ms ? next - h->now_ms : 0;
}
