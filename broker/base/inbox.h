/* Posts: facts on their way to the thread that owns what they are about.  A post never blocks and
 * never fails. */
#ifndef BASE_INBOX_H
#define BASE_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/thread.h"

struct post;
/* Runs on the receiving home; from then on the post is the callee's (to free, or to send again). */
typedef void post_fn(struct post *post, void *home_arg);

/* Lives inside the object that is referenced for its whole flight. Zero-initialised, then `run`
 * set. */
struct post {
	struct post *next;
	post_fn *run;
	bool in_flight;
};

/* Wakes the receiver; called outside the lock, from any thread, once for each sleep. */
typedef void inbox_wake_fn(void *arg);

struct inbox {
	struct mutex lock;
	struct post *head, **tail; /* under the lock */
	struct post *taken;        /* receiver's: swapped out, not yet run */
	atomic_bool asleep;        /* the next post wakes */
	inbox_wake_fn *wake;
	void *wake_arg;
};

void inbox_init(struct inbox *in, inbox_wake_fn *wake, void *wake_arg);
void inbox_fini(struct inbox *in); /* must be empty */
/* Any thread. Order per sender is kept. Posting what is in flight aborts. `wake`: false where the
 * receiver itself posts. */
void inbox_post(struct inbox *in, struct post *post, bool wake);
/* Receiver only: run at most `budget` posts, in order; true where more wait. */
bool inbox_drain(struct inbox *in, size_t budget, void *home_arg);
bool inbox_is_empty(struct inbox *in); /* receiver only */
/* Receiver only: from here on a post wakes it. False: something waits already. */
bool inbox_sleep(struct inbox *in);
/* Receiver only: it is up, and will look before it sleeps. */
void inbox_awake(struct inbox *in);

#endif
