/* An executor: what runs on one thread and owns objects. A mailbox, timers, the time of the
 * turn, and a hook at the turn's end. net/loop drives an executor with libuv; a simulation drives
 * several from one thread, in any order it likes.
 *
 * A thread that did not run for a while (the process was stopped, the machine was suspended or
 * swapping, a turn took long) finds timers due and input unread. What arrived is handled first: a
 * timer fires only if the driver has polled since it was due. If one is late by more than
 * EXECUTOR_PAUSE_MS there was a pause: peers get some time again (executor_postpones), since they
 * had no answers meanwhile. */
#ifndef BASE_EXECUTOR_H
#define BASE_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mailbox.h"
#include "base/require.h"
#include "base/timer.h"

/* At the end of each turn: everything written during the turn goes out now. True: there is more to
 * do, come again at once. */
typedef bool executor_turn_end_fn(void *arg);

struct executor {
	unsigned index;      /* worker number; also its slot in the locks of the shared trees */
	uint64_t now_ms;     /* monotonic, read once per turn */
	uint64_t now_ns;     /* the same */
	uint64_t turned_ms;  /* time of the previous turn: the driver has polled since */
	uint64_t resumed_ms; /* when the last pause was noticed; 0: never */
	struct mailbox mailbox;
	struct timers timers;
	executor_turn_end_fn *turn_end;
	void *arg; /* given to tasks, timers and the hook */
};

void executor_init(struct executor *h, unsigned index, executor_turn_end_fn *turn_end, void *arg);
/* How tasks wake the driver; set before anybody sends. */
void executor_set_wake(struct executor *h, mailbox_wake_fn *wake, void *wake_arg);
void executor_fini(struct executor *h);

/* Which executor the calling code runs on. The driver enters before it runs anything of that
 * executor. */
void executor_enter(struct executor *h);
void executor_leave(void);
/* What this thread drives at the moment; set by executor_enter only. Here, so that an assertion of
 * the owner is one comparison and not a call: the libraries are linked into programs only. */
extern _Thread_local struct executor *executor_entered __attribute__((tls_model("local-exec")));
/* NULL outside of any. */
static inline struct executor *executor_current(void)
{
	return executor_entered;
}
#define REQUIRE_EXECUTOR(h) REQUIRE(executor_current() == (h))

/* Any thread: give a task to this executor. */
void executor_send(struct executor *h, struct task *task);

void executor_update_now(struct executor *h);
/* Something else than a task has woken the driver, and executor_turn will follow: the time is read,
 * and until then a task need not wake it. */
void executor_woken(struct executor *h);
/* Drain the mailbox (within a budget), fire timers, end the turn. Returns ms until it must be
 * called again even if nothing arrives: 0 at once, UINT64_MAX never. Call entered. */
uint64_t executor_turn(struct executor *h);

#define EXECUTOR_PAUSE_MS 1000
#define EXECUTOR_GRACE_MS 5000 /* for a handshake, a login, a reconnect */

/* For the timer of a peer's deadline, which has fired; its time began at `since_ms` (modulo 2^64).
 * True: there was a pause, and the timer is armed again for the end of the time after it. */
static inline bool executor_postpones(struct executor *h, struct timer *timer, uint64_t since_ms)
{
	uint64_t due_ms = h->resumed_ms + EXECUTOR_GRACE_MS;

	if ((int64_t)(since_ms - h->resumed_ms) >= 0 || h->now_ms >= due_ms)
		return false;
	timer_arm(&h->timers, timer, due_ms);
	return true;
}

static inline void executor_timer_arm(struct executor *h, struct timer *timer, uint64_t in_ms)
{
	timer_arm(&h->timers, timer, h->now_ms + in_ms);
}

static inline void executor_timer_disarm(struct executor *h, struct timer *timer)
{
	timer_disarm(&h->timers, timer);
}

#endif
