/* Where lines of the log go: a descriptor that a thread of its own writes, so that nobody who logs
 * waits for it.  What nobody takes (a pipe that is not read, a disk that hangs) fills a bounded
 * buffer; then lines are dropped and counted, and the next lines that are written say how many.
 * Thread: any, except where it says main. */
#ifndef BASE_LOG_OUTPUT_H
#define BASE_LOG_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/thread.h"

/* What waits at most, besides what is being written. */
#define LOG_OUTPUT_BYTES_MAX ((size_t)262144)

struct log_output;
/* Appends the line that says how many were dropped.  Thread: that of the output. */
typedef void log_output_dropped_fn(struct log_output *o, uint64_t lines, struct buf *out);

/* Writes whole lines to the descriptor, or elsewhere in its place; returns what could not be
 * written.
 */
typedef struct slice log_output_write_fn(int fd, struct slice lines);

struct log_output {
	/* Of its thread, too. */
	const char *name;
	log_output_dropped_fn *put_dropped;
	log_output_write_fn *write; /* NULL: log_output_write_bytes; set before the start */
	struct mutex lock;          /* for what is below */
	struct condition changed;
	struct thread thread;
	struct buf waiting;
	/* -1: none, and what is put is lost. */
	int fd;
	/* What the thread writes to, outside of the lock; -1: it does not write. */
	int busy_fd;
	/* Meanwhile another descriptor has taken the place of busy_fd. */
	bool close_busy;
	bool has_thread, ending, ended;
	/* Since the last line that said how many. */
	uint64_t dropped_since;
	/* In all. */
	_Atomic uint64_t dropped;
	/* Taken, and not written yet. */
	_Atomic size_t queued_bytes;
};

#define LOG_OUTPUT_INITIALIZER(its_name, its_fd, its_put_dropped)                                  \
	{                                                                                          \
		.name = (its_name), .put_dropped = (its_put_dropped),                              \
		.lock = MUTEX_INITIALIZER(LOCK_LOG_OUTPUT), .fd = (its_fd), .busy_fd = -1          \
	}

/* From now on the thread writes; before, and after log_output_stop, log_output_put does it itself.
 * 0 or -errno.  Thread: main. */
int log_output_start(struct log_output *o);
/* Write what waits, for at most flush_ms; where it is not taken by then it is lost.  Thread: main.
 */
void log_output_stop(struct log_output *o, uint64_t flush_ms);
/* A whole line. Never waits for the descriptor once the thread runs. */
void log_output_put(struct log_output *o, struct slice line);
/* Takes over `fd`, or -1, in place of the one before, which is closed.  Thread: main. */
void log_output_set_fd(struct log_output *o, int fd);
/* A descriptor that is non-blocking is waited for. Returns what could not be written. */
struct slice log_output_write_bytes(int fd, struct slice bytes);
/* For a program that is about to abort: wait until the thread has written what waits, at most
 * `ms`. */
void log_output_drain(const struct log_output *o, uint64_t ms);

#endif
