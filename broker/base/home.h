/* A home: the thread-shaped place that owns objects.  An inbox, timers, the time of the turn, and a
 * hook at the turn's end. net/loop drives a home with libuv; a simulation drives several from one
 * thread, in any order it likes. */
#ifndef BASE_HOME_H
#define BASE_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/inbox.h"
#include "base/timer.h"

/* At the end of each turn: everything written during the turn goes out now. True: there is more to
 * do, come again at once. */
typedef bool home_turn_end_fn(void *arg);

struct home {
	unsigned index;  /* worker number; also its slot in the locks of the shared trees */
	uint64_t now_ms; /* monotonic, read once per turn */
	struct inbox inbox;
	struct timers timers;
	home_turn_end_fn *turn_end;
	void *arg; /* given to posts, timers and the hook */
};

void home_init(struct home *h, unsigned index, home_turn_end_fn *turn_end, void *arg);
/* How posts wake the driver; set before anybody posts. */
void home_set_wake(struct home *h, inbox_wake_fn *wake, void *wake_arg);
void home_fini(struct home *h);

/* Which home the calling code stands in. The driver enters before it runs anything of that home. */
void home_enter(struct home *h);
void home_leave(void);
struct home *home_current(void); /* NULL outside of any */
#define REQUIRE_HOME(h) REQUIRE(home_current() == (h))

/* Any thread: give a post to this home. */
void home_post(struct home *h, struct post *post);

void home_update_now(struct home *h);
/* Something else than a post has woken the driver, and home_turn will follow: the time is read, and
 * until then a post need not wake it. */
void home_woken(struct home *h);
/* Drain the inbox (within a budget), fire timers, end the turn. Returns ms until it must be called
 * again even if nothing arrives: 0 at once, UINT64_MAX never. Call entered. */
uint64_t home_turn(struct home *h);

static inline void home_timer_arm(struct home *h, struct timer *timer, uint64_t in_ms)
{
	timer_arm(&h->timers, timer, h->now_ms + in_ms);
}

static inline void home_timer_disarm(struct home *h, struct timer *timer)
{
	timer_disarm(&h->timers, timer);
}

#endif
