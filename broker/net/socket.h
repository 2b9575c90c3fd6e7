/* The socket under a stream: what TLS and Unix streams have in common.  The descriptor is ours and
 * not libuv's (uv_poll only tells when it is ready), for two reasons: a connection can leave its
 * loop at any moment without duplicating the descriptor, and a wake-up costs exactly one recv() and
 * one send(), into buffers that all connections of a loop share.  Thread: the executor it is
 * attached to. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/timer.h"
#include "net/fd_watch.h"
#include "net/output_chain.h"
#include "net/peer_address.h"
#include "net/stream.h"

struct sock;

/* What the layer above makes of the bytes. */
struct sock_layer {
	void (*readable)(struct sock *s); /* the kernel has something, or go on with what is here */
	void (*handshake)(struct sock *s); /* its turn in the queue of handshakes has come */
	bool (*has_more)(struct sock *s);  /* bytes were read that the owner has not seen */
	void (*keep_rest)(struct sock *s); /* detached inside on_bytes: keep what is unread */
	void (*goodbye)(struct sock *s);   /* append the layer's deferred close to the output */
	void (*free)(struct sock *s);
};

enum sock_state {
	SOCK_DETACHED,
	SOCK_OPEN,
	SOCK_FLUSHING,  /* stream_close: the output goes out, nothing is read */
	SOCK_LINGERING, /* FIN sent; what the peer still sends is thrown away, or it would lose our
	                   last words to a reset */
	SOCK_ENDED,
};

enum sock_place {
	PLACE_NONE,
	PLACE_READY,
	PLACE_HANDSHAKES,
	PLACE_LATER,
	PLACE_ENDED,
};

struct sock {
	struct stream stream;
	const struct sock_layer *layer;
	struct loop *loop;
	struct watch *watch;
	TAILQ_ENTRY(sock) queued;
	struct chain out;
	size_t drain_mark;     /* on_drained when the backlog has fallen to this; 0: no backlog */
	struct timer deadline; /* of its output, or the end of a delay */
	uint32_t lingered;     /* bytes thrown away */
	int fd;
	struct peer peer;
	uint8_t state, place, end;
	bool paused;
	bool delayed; /* by its layer: as paused, until a timer says otherwise */
	bool broken;  /* cannot be written to any more; what is there to read is read first */
};

void sock_init(struct sock *s, const struct stream_ops *ops, const struct sock_layer *layer, int fd,
               unsigned listener);

/* For the layers. A callback may detach the stream, and then another thread may own it before the
 * callback returns: after each, touch nothing unless sock_call_done() is true. */
void sock_call_begin(struct sock *s);
bool sock_call_done(struct loop *loop, struct sock *s);
/* Bytes read, 0: none now, -1: it has ended (or said goodbye). */
ssize_t sock_recv(struct sock *s, void *out, size_t cap);
void sock_send(struct sock *s, struct slice bytes); /* now, or into the chain */
bool sock_reads(const struct sock *s);              /* open, not paused, not delayed */
void sock_delay(struct sock *s, uint64_t ms);       /* an open one reads nothing for so long */
void sock_queue(struct sock *s, enum sock_place place);
void sock_update(struct sock *s); /* arm the watch for what is wanted */
/* End it: with what is unsent flushed for at most flush_ms, or at once. on_closed comes later. */
void sock_close(struct sock *s, enum stream_end end, uint64_t flush_ms);
void sock_end(struct sock *s, enum stream_end end);

/* For the loop: once per turn. */
void sock_run_queues(struct loop *loop);
bool sock_queues_wait(const struct loop *loop);

/* The parts of stream_ops that do not depend on the layer. */
size_t sock_op_backlog(const struct stream *stream);
void sock_op_pause(struct stream *stream);
void sock_op_resume(struct stream *stream);
void sock_op_close(struct stream *stream, uint64_t flush_ms);
void sock_op_abort(struct stream *stream);
void sock_op_detach(struct stream *stream);
void sock_op_attach(struct stream *stream, struct loop *loop);
void sock_op_discard(struct stream *stream);
size_t sock_op_peer_text(const struct stream *stream, char *out, size_t cap);
struct slice sock_op_peer_key(const struct stream *stream);

#endif
