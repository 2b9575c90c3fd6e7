/* The inside of a TLS stream, for tls_stream.c, tls_handshake.c, tls_records.c and tls_peer.c only.
 */
#ifndef NET_TLS_STREAM_INTERNAL_H
#define NET_TLS_STREAM_INTERNAL_H

#include <openssl/ssl.h>

#include "base/container.h"
#include "base/executor.h"
#include "net/loop_queue.h"
#include "net/stream.h"
#include "net/tls/tls_io.h"

struct tls_source;

enum fill {
	FILL_DRY,   /* all ciphertext is used up */
	FILL_MORE,  /* the buffer is full first */
	FILL_LATER, /* the share of this turn is used up */
	FILL_END,   /* close_notify */
	FILL_FAILED,
};

struct tls_stream {
	/* `inner` carries the records. */
	struct stream stream;
	/* Until the first bytes came: where the context is found. */
	struct tls_source *source;
	/* From then on: the one that was in force. */
	struct tls_context *ctx;
	/* NULL until the first bytes came. */
	SSL *ssl;
	/* NULL while detached. */
	struct tls_loop *shared;
	struct tls_io io;
	/* What is known of the peer once the handshake is done. */
	struct stream_tls peer;
	/* Ciphertext that waits while paused, or on the way to another loop. */
	struct buf pending;
	/* Bytes written under the key in use. */
	uint64_t sealed;
	struct loop_job job;
	struct timer delay;
	/* Of facts.packets, seen so far. */
	uint32_t packets;
	/* enum fill, FILL_END or FILL_FAILED: the owner, who has paused, does not know yet. */
	uint8_t stopped;
	/* Why it was closed from this side. */
	uint8_t end;
	bool established;
	bool proven; /* a whole packet came */
	bool behind; /* it had more than its share of the last turn */
	bool failed; /* OpenSSL must not be called again: no SSL_shutdown */
	bool closed; /* from this side: on_closed of the stream below is waited for */
	bool paused; /* by the owner */
	bool delayed;
	bool inner_paused;
};

static inline struct tls_stream *tls_stream_of(struct stream *stream)
{
	return container_of(stream, struct tls_stream, stream);
}

static inline uint64_t tls_stream_now_ms(const struct tls_stream *t)
{
	return t->stream.executor->now_ms;
}

/* Does the owner want bytes? */
static inline bool tls_stream_reads(const struct tls_stream *t)
{
	return !t->closed && !t->paused && !t->delayed;
}

#endif
