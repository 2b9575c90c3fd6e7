/* The inside of a loop, for the files of this folder only: the buffers that all its connections
 * share, and the streams that have something to do besides waiting for the kernel. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/bytes.h"
#include "net/loop.h"

/* One read takes at most this much: the share of a connection in a turn. */
#define LOOP_READ_BYTES 65536

struct sock;
TAILQ_HEAD(sock_list, sock);

struct sock_queue {
	struct sock_list list;
	size_t count;
};

struct loop_signal;

struct loop {
	uv_loop_t uv;
	uv_poll_t wake; /* of wake_fd */
	int wake_fd;    /* an eventfd: uv_async_t does the same, and may spin until its sender is
	                   back from the kernel */
	uv_check_t check;
	uv_idle_t idle;   /* started: the next poll does not wait */
	uv_timer_t timer; /* the executor's next due time */
	uint64_t due_ms;  /* what the timer is set to; UINT64_MAX: nothing */
	struct executor *executor;
	atomic_bool stopping;
	size_t open; /* watches and signals: what keeps loop_run going */
	struct loop_signal *signals;

	struct sock_queue ready;      /* to go on with what was read already */
	struct sock_queue handshakes; /* in the order of their coming; some each turn */
	struct sock_queue later; /* had their share of the turn and have more; some each turn */
	struct sock_queue ended; /* on_closed is owed */
	struct sock *current;    /* the one whose owner is being called */
	struct bio_st *bio;      /* tls_stream.c: between OpenSSL and the buffers below */

	/* Used from the start to the end of one read or write, never across a callback of another
	 * stream; `out` is empty whenever an owner is called. */
	struct buf out;                 /* ciphertext OpenSSL made */
	uint8_t in[LOOP_READ_BYTES];    /* as it came from the kernel */
	uint8_t plain[LOOP_READ_BYTES]; /* decrypted */
};

/* The next poll does not wait. No system call. Thread: the loop's. */
void loop_kick(struct loop *loop);

#endif
