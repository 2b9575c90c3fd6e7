/* Watches the machine's clocks: says when the wall clock is not set, or is set, and wakes the other
 * executors after a suspend, as what they sleep by stood still meanwhile.  Thread: the executor
 * that it was made with. */
#ifndef SERVER_CLOCK_WATCH_H
#define SERVER_CLOCK_WATCH_H

#include "base/executor.h"

/* The wall clock was set: what depends on it is looked at again. */
typedef void clock_watch_set_fn(void *executor_arg);

struct clock_watch *clock_watch_new(struct executor *executor, clock_watch_set_fn *on_set);
/* Those that are woken; before clock_watch_start. */
void clock_watch_add(struct clock_watch *watch, struct executor *other);
void clock_watch_start(struct clock_watch *watch);
void clock_watch_stop(struct clock_watch *watch); /* NULL is fine */
void clock_watch_free(struct clock_watch *watch); /* when nobody runs any more */

#endif
