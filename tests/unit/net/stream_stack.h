/* A stream of some kind on one of two loops, its owner, and its far end, all in the test's thread:
 * stack_step is what loops, kernel and peer do meanwhile. */
#ifndef TEST_NET_STREAM_STACK_H
#define TEST_NET_STREAM_STACK_H

#include <openssl/ssl.h>

#include "base/executor.h"
#include "net/loop.h"
#include "net/stream.h"
#include "support/memory_stream.h"
#include "tls_server.h"

enum stack_kind {
	STACK_SOCKET,
	STACK_UNIX,
	STACK_MEMORY,
	STACK_TLS_SOCKET,
	STACK_TLS_MEMORY,
	STACK_MASKED_TLS,
	STACK_WEBSOCKET,
	STACK_KINDS,
};

struct stack;
typedef void stack_bytes_fn(struct stack *s);

struct stack {
	enum stack_kind kind;
	struct executor executors[2];
	struct loop *loops[2];
	/* Where the stream is attached. */
	unsigned at;

	/* The owner. */
	struct stream *stream;
	struct buf got;
	unsigned drained, closed;
	enum stream_end end;
	/* After each on_bytes; NULL: nothing. */
	stack_bytes_fn *on_bytes;

	/* The far end: plain bytes that it got, and whether it saw the end. */
	struct buf far_got;
	bool far_ended;
	/* WebSocket: what came and is no whole frame yet, the code of a Close, and the pongs. */
	struct buf far_frames;
	unsigned far_close_code, far_pongs;
	/* It reads nothing. */
	bool far_stalled;
	int fd;
	struct memory_peer *peer;
	SSL_CTX *ssl_ctx;
	SSL *ssl;
	/* To be sent, as the transport takes it. */
	struct buf raw;
};

/* Connected, the handshake done, attached to the first loop. */
void stack_open(struct stack *s, enum stack_kind kind, const struct tls_server *server);
/* Aborts what is still open. */
void stack_close(struct stack *s);
const char *stack_name(enum stack_kind kind);

/* One turn of everything. */
void stack_step(struct stack *s);
/* Steps until it is true; fails the test after a minute. */
#define stack_until(s, condition)                                                                  \
	do {                                                                                       \
		for (unsigned tries = 0; !(condition); tries++) {                                  \
			stack_wait(tries, #condition);                                             \
			stack_step(s);                                                             \
		}                                                                                  \
	} while (0)
void stack_wait(unsigned tries, const char *condition);
/* Some more steps, for what must not happen. */
void stack_settle(struct stack *s);

/* The owner: in its executor. */
void stack_enter(struct stack *s);
void stack_leave(void);
void stack_write(struct stack *s, struct slice bytes);
void stack_attach(struct stack *s, unsigned loop);

/* The far end. A WebSocket client sends it in masked frames of many lengths, with pings between
 * them. */
void stack_far_send(struct stack *s, struct slice bytes);
/* WebSocket: one frame as it is, its first byte given. */
void stack_far_frame(struct stack *s, uint8_t first, struct slice payload);
void stack_far_stall(struct stack *s, bool stalled);
/* Orderly (close_notify, FIN), or a reset. */
void stack_far_end(struct stack *s, enum stream_end end);

#endif
