/* Tasks: messages on their way to the thread that owns what they are about.  A task never blocks
 * and never fails. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/thread.h"

struct task;
/* Runs on the receiving executor; from then on the task is the callee's (to free, or to send
 * again). */
typedef void task_fn(struct task *task, void *executor_arg);

/* Lives inside the object that is referenced for its whole flight. Zero-initialised, then `run`
 * set. */
struct task {
	struct task *next;
	task_fn *run;
	bool in_flight;
};

/* Wakes the receiver; called outside the lock, from any thread, once for each sleep. */
typedef void mailbox_wake_fn(void *arg);

struct mailbox {
	struct mutex lock;
	struct task *head, **tail; /* under the lock */
	atomic_bool is_filled;     /* written under the lock: there is a head */
	struct task *taken;        /* receiver's: swapped out, not yet run */
	atomic_bool asleep;        /* the next task wakes it */
	mailbox_wake_fn *wake;
	void *wake_arg;
};

void mailbox_init(struct mailbox *in, mailbox_wake_fn *wake, void *wake_arg);
void mailbox_fini(struct mailbox *in); /* must be empty */
/* Any thread. Order per sender is kept. Sending what is in flight aborts. `wake`: false if the
 * receiver itself sends. */
void mailbox_send(struct mailbox *in, struct task *task, bool wake);
/* Receiver only: run at most `budget` tasks, in order; true where more wait. */
bool mailbox_drain(struct mailbox *in, size_t budget, void *executor_arg);
bool mailbox_is_empty(const struct mailbox *in); /* receiver only */
/* Receiver only: from here on a task wakes it. False: something waits already. */
bool mailbox_sleep(struct mailbox *in);
/* Receiver only: it runs, and drains before it sleeps. */
void mailbox_awake(struct mailbox *in);

#endif
