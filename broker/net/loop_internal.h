/* The inside of a loop, for the files of this folder only. Thread: the loop's. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include <stdatomic.h>

#include <uv.h>

#include "base/bytes.h"
#include "base/executor.h"
#include "net/loop_queue.h"
#include "net/tls_counts.h"

/* One read takes at most this much: the share of a connection in a turn. */
#define LOOP_READ_BYTES 65536

struct loop_signal;
struct stream_call;

struct loop {
	uv_loop_t uv;
	uv_poll_t wake; /* of wake_fd */
	/* An eventfd: uv_async_t does the same, and may spin until its sender is back from the
	 * kernel. */
	int wake_fd;
	uv_prepare_t prepare; /* before a poll: a turn has ended */
	uv_check_t check;
	uv_idle_t idle;   /* started: the next poll does not wait */
	uv_timer_t timer; /* the executor's next due time */
	uint64_t due_ms;  /* what the timer is set to; UINT64_MAX: nothing */
	struct executor *executor;
	atomic_bool stopping;
	size_t open; /* watches and signals: what keeps loop_run going */
	struct loop_signal *signals;

	/* When the first event of this poll came; 0: none yet. UINT64_MAX: its turn has come to
	 * the queue. */
	uint64_t polled_ms;

	struct loop_queue queue;
	struct tls_counts tls_counts;
	/* When the poll of this turn ended, by libuv's clock, which it reads anyway. */
	uint64_t turn_since_ms;
	_Atomic uint64_t turn_cells[LATENCY_CELLS];
	/* Streams whose owners are being called, the innermost first (stream.c). */
	struct stream_call *calls;
	/* What the streams of one kind share on this loop: made by the first, freed with the loop
	 * (tls_io.c). */
	void *shared;
	void (*shared_free)(void *shared);

	/* Bytes as they came from the kernel: used from the start to the end of one read, never
	 * across a call of another stream. */
	uint8_t in[LOOP_READ_BYTES];
};

/* Has this poll taken long? What is there to read is left to LOOP_INPUT then, or a crowd of clients
 * would make the turn long. */
static inline bool loop_poll_is_long(struct loop *loop)
{
	if (loop->polled_ms == 0)
		loop->polled_ms = loop->executor->now_ms;
	/* mutant: long_poll */
	return loop->executor->now_ms > loop->polled_ms;
}

#endif
