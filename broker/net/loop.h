/* An event loop: libuv drives a struct executor.  The only other files that include uv.h are in
 * this folder. Thread: the loop's own, except loop_stop and what executor_send does. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/executor.h"
#include "net/loop_queue.h"

struct loop;
struct tls_counts;

/* A loop that drives `executor` (borrowed): its mailbox wakes it, its turn runs after each poll.
 * NULL with *error = -errno. */
struct loop *loop_new(struct executor *executor, int *error);
/* Run in the calling thread until loop_stop and until everything on it is closed. Enters the
 * executor meanwhile. */
void loop_run(struct loop *loop);
/* Any thread: end loop_run once nothing is open any more. */
void loop_stop(struct loop *loop);
/* Closes the loop: REQUIREs uv_loop_close() == 0, that is, nothing leaked. */
void loop_free(struct loop *loop);
struct executor *loop_executor(struct loop *loop);

/* Any thread. */
const struct tls_counts *loop_tls_counts(const struct loop *loop);
/* How long its turns were, in milliseconds (base/latency.h). */
const _Atomic uint64_t *loop_turn_cells(const struct loop *loop);

/* The next poll does not wait. No system call. */
void loop_kick(struct loop *loop);
/* A job for the next turn, or for this one when called from a poll. */
void loop_add_job(struct loop *loop, struct loop_job *job, enum loop_place place);

/* Does something wait for the next turn: an event of the kernel, a job, a task? One system call.
 * The loop's thread. */
bool loop_is_awaited(const struct loop *loop);

/* Signals for the main loop only: `fn` runs on the loop. Several may be watched. */
typedef void loop_signal_fn(void *arg, int signum);
int loop_on_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *arg);
void loop_signals_close(struct loop *loop);

/* Raise the soft limit of open files to the hard one; returns the limit in force. */
unsigned long loop_raise_file_limit(void);

#endif
