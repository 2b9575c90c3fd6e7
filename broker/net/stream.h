/* A connection as bytes: TLS over TCP, a Unix socket, or memory (simulation, tests).  The owner
 * sees plain bytes only. Thread: the executor of the loop it is attached to; between stream_detach
 * and stream_attach it belongs to whoever holds it. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "conf/conf.h"

struct loop;
struct stream;
struct tls_context;

enum stream_end {
	STREAM_END_PEER,  /* orderly: FIN, close_notify */
	STREAM_END_RESET, /* reset, broken pipe, timeout of the kernel */
	STREAM_END_TLS,   /* handshake or record failure; logged where it was decided */
	STREAM_END_LOCAL, /* stream_close or stream_abort */
};

/* How far a handshake has come. */
enum stream_stage {
	STREAM_STAGE_HELLO, /* the peer's first message is whole */
	STREAM_STAGE_DONE,
};

/* None of these is called from inside a stream_* function; on_bytes may call any stream_* function.
 */
struct stream_events {
	/* Bytes arrived (TLS: decrypted); borrowed for the call. Not called while paused, detached,
	 * or after close. The first call means that the handshake is done. */
	void (*on_bytes)(void *arg, struct slice bytes);
	/* The handshake came so far: each stage once, in order. For the books only: no stream_*
	 * function may be called. NULL: it does not matter. */
	void (*on_stage)(void *arg, enum stream_stage stage);
	/* The backlog fell to or below half of what it was when stream_backlog() was last over
	 * STREAM_BACKLOG_LOW, or to zero. */
	void (*on_drained)(void *arg);
	/* The end: exactly once, whatever ended it; the stream is freed behind it. Never while
	 * detached. */
	void (*on_closed)(void *arg, enum stream_end end);
};

#define STREAM_BACKLOG_LOW ((size_t)32768)

/* Take all of it: encrypted and written at once as far as the kernel takes it, the rest kept in the
 * output chain. Never fails: where the transport is broken, on_closed comes later. Call once per
 * loop turn with everything there is. [MQTT3-7.1.1-1] [MQTT5-4.2.0-1] */
void stream_write(struct stream *s, struct slice bytes);
/* Bytes taken but not yet given to the kernel. */
size_t stream_backlog(const struct stream *s);

/* Reading. A new stream reads. Pause is immediate: no on_bytes comes until resume, bytes already
 * decrypted wait inside. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Flush what is pending, at most flush_ms, then end it (TLS close_notify, FIN). Reading stops at
 * once. */
void stream_close(struct stream *s, uint64_t flush_ms);
/* End it now (TCP: RST where bytes are unsent). */
void stream_abort(struct stream *s);

/* Take it off its loop, with the ciphertext still unread, what OpenSSL holds and the output chain;
 * from inside on_bytes too (the rest of the bytes of that call has been dispatched already). Then
 * post it, and attach it at its new executor, where it first works through what travelled with it
 * (on_bytes may come before stream_attach returns to the loop, never from inside it). A
 * pause travels too. The end of a stream that ended in between is told at its new executor. */
void stream_detach(struct stream *s);
void stream_attach(struct stream *s, struct loop *loop, const struct stream_events *events,
                   void *arg);
/* Give up a detached stream (shutdown): closes the descriptor, frees; no events. */
void stream_discard(struct stream *s);

/* Facts about it. */
/* "192.0.2.7:50123", "[2001:db8::1]:50123", "unix:uid=1000", "memory"; returns the length. */
size_t stream_peer_text(const struct stream *s, char *out, size_t cap);
/* Opaque bytes that name the source without its port (IPv6: the /64): for fairness and limits on
 * guessing. */
struct slice stream_peer_key(const struct stream *s);
const char *stream_tls_version(const struct stream *s); /* "TLSv1.3", or "none" */
bool stream_has_certificate(
    const struct stream *s); /* the client gave one and it was verified, this time too */
/* Would its handshake succeed with this (newer) context? Looked at are the TLS version and the
 * client's certificate: its chain, dates and the CRL, or that there is one where one is required.
 * What was verified with the same CAs and CRL is not verified again, except for its dates.
 * `connected`: an expired CRL is no reason any more. Where it does not fit *why says so in plain
 * words. */
enum stream_fit {
	STREAM_FITS,
	STREAM_NOT_READY, /* its handshake is not done: nothing is known yet */
	STREAM_VERSION_TOO_OLD,
	STREAM_CERTIFICATE_BAD,
};
enum stream_fit stream_fits(const struct stream *s, const struct tls_context *ctx, bool connected,
                            const char **why);
/* Names of that kind in the client's certificate: how many there are; the first is appended to
 * *out. Only values that are UTF-8 without U+0000 count; one that is not gives 0. */
size_t stream_certificate_names(const struct stream *s, enum conf_certificate_user kind,
                                struct buf *out);

/* What an implementation provides: the first member of its own struct. */
struct stream_ops {
	void (*write)(struct stream *s, struct slice bytes);
	size_t (*backlog)(const struct stream *s);
	void (*pause)(struct stream *s);
	void (*resume)(struct stream *s);
	void (*close)(struct stream *s, uint64_t flush_ms);
	void (*abort)(struct stream *s);
	void (*detach)(struct stream *s);
	void (*attach)(struct stream *s, struct loop *loop);
	void (*discard)(struct stream *s);
	size_t (*peer_text)(const struct stream *s, char *out, size_t cap);
	struct slice (*peer_key)(const struct stream *s);
	const char *(*tls_version)(const struct stream *s);
	size_t (*certificate_names)(const struct stream *s, enum conf_certificate_user kind,
	                            struct buf *out);
	bool (*has_certificate)(const struct stream *s);
	/* NULL: it always fits */
	enum stream_fit (*fits)(const struct stream *s, const struct tls_context *ctx,
	                        bool connected, const char **why);
};

struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *arg;
	unsigned listener;
	bool moved; /* stream_note_packet */
};

/* Index of the listener that accepted it. */
static inline unsigned stream_listener(const struct stream *s)
{
	return s->listener;
}

/* The owner got a whole packet out of what it was given: what is counted against a peer that only
 * makes work (net/tls_work.h) is counted anew. */
static inline void stream_note_packet(struct stream *s)
{
	s->moved = true;
}

#endif
