/* Subscribers of a thread.  Thread: theirs. */
#ifndef BENCH_SUBSCRIBER_H
#define BENCH_SUBSCRIBER_H

#include "run.h"

void subscriber_new_all(struct run_thread *t);
void subscriber_free_all(struct run_thread *t);
struct link *subscriber_link(struct run_thread *t, size_t i);
/* Returns when all subscriptions are acknowledged. */
void subscriber_subscribe_all(struct run_thread *t);
/* Returns when all are disconnected. */
void subscriber_leave_all(struct run_thread *t);
/* Slow ones read what they may in so much time. */
void subscriber_read_slowly(struct run_thread *t, double seconds);
/* One more subscriber, new each time: it connects; it gets all that is retained, and leaves. */
void subscriber_replay_connect(struct run_thread *t);
void subscriber_replay(struct run_thread *t);

#endif
