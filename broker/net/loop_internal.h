/* The inside of a loop, for the files of this folder only. Thread: the loop's. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include <stdatomic.h>

#include <uv.h>

#include "base/bytes.h"
#include "base/executor.h"
#include "net/loop_queue.h"
#include "net/tls/tls_counts.h"

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

	/* Until when this poll may read; 0: no event has come yet. UINT64_MAX: its turn has come to
	 * the queue. */
	uint64_t poll_until_ns;

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

/* What a poll may read at once. */
#define LOOP_POLL_NS UINT64_C(500000)

/* Has this poll taken long? What is there to read is left to LOOP_INPUT then, or a crowd of clients
 * would make the turn long. */
static inline bool loop_poll_is_long(struct loop *loop)
{
	if (loop->poll_until_ns == 0)
		loop->poll_until_ns = loop->executor->now_ns + LOOP_POLL_NS;
	/* mutant: long_poll */
	return loop->executor->now_ns > loop->poll_until_ns;
}

#endif
