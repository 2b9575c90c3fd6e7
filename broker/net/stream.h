/* A connection as bytes.  Streams stack: one at the bottom moves bytes (a socket; memory in tests),
 * each of the others changes what passes through (TLS). The owner has the uppermost one and sees
 * plain bytes only. Thread: the executor that the stream is attached to; between stream_detach and
 * stream_attach it belongs to its holder. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/key_pin.h"
#include "conf/conf.h"
#include "net/peer_address.h"

struct executor;
struct loop;
struct stream;
struct tls_context;

enum stream_end {
	STREAM_END_PEER,      /* orderly: FIN, close_notify */
	STREAM_END_RESET,     /* reset, broken pipe, timeout of the kernel */
	STREAM_END_TLS,       /* handshake or record failure; logged where it was decided */
	STREAM_END_LOCAL,     /* stream_close or stream_abort */
	STREAM_END_WEBSOCKET, /* the peer broke its rules: stream_end_cause */
};

/* How far a handshake has come. */
enum stream_stage {
	STREAM_STAGE_HELLO, /* the peer's first message is whole */
	STREAM_STAGE_DONE,
};

/* None of these is called from inside a stream_* function; each may call any stream_* function,
 * except where it says otherwise. */
struct stream_events {
	/* Bytes arrived; borrowed for the call, and a stream above may change them. Not called
	 * while paused, detached, or after close. The first call means that the handshake is done.
	 */
	void (*on_bytes)(void *arg, struct slice bytes);
	/* For a stream above this one, in place of on_bytes: there are bytes, or the end of them;
	 * stream_read takes as many as it wants, when it wants. Also called once when the transport
	 * broke while paused. */
	void (*on_readable)(void *arg);
	/* The handshake came so far: each stage once, in order. No stream_* function may be called.
	 * May be NULL. */
	void (*on_stage)(void *arg, enum stream_stage stage);
	/* The backlog fell to or below half of what it was when stream_backlog() was last over
	 * STREAM_BACKLOG_LOW, or to zero. */
	void (*on_drained)(void *arg);
	/* The end: exactly once, whatever caused it; the stream is freed after it. Never while
	 * detached. */
	void (*on_closed)(void *arg, enum stream_end end);
};

#define STREAM_BACKLOG_LOW ((size_t)32768)

/* Take all of it: encrypted and written at once as far as the kernel takes it, the rest stays in
 * the output chain. Never fails: where the transport is broken, on_closed comes later. Call once
 * per loop turn with everything there is. [MQTT3-7.1.1-1] [MQTT5-4.2.0-1] */
void stream_write(struct stream *s, struct slice bytes);
/* Bytes taken but not yet given to the kernel. */
size_t stream_backlog(const struct stream *s);
/* Grows when the peer acknowledges bytes that were written. Costs a system call. */
uint64_t stream_accepted(const struct stream *s);

/* Reading. A new stream reads. Pause is immediate: no on_bytes comes until resume, bytes already
 * decrypted wait inside. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Flush what is pending, at most flush_ms, then end it (TLS close_notify, FIN). Reading stops at
 * once. */
void stream_close(struct stream *s, uint64_t flush_ms);
/* End it now (TCP: RST where bytes are unsent). */
void stream_abort(struct stream *s);

/* Take it off its loop, with everything inside: unread bytes, what OpenSSL holds, the output chain,
 * a pause; from inside on_bytes too (the bytes of that call count as read). Then send it to another
 * executor and attach it there, where it first works through what came with it (on_bytes never
 * comes from inside stream_attach). When it ends in between, on_closed comes after it is
 * attached. */
void stream_detach(struct stream *s);
void stream_attach(struct stream *s, struct loop *loop, const struct stream_events *events,
                   void *arg);
/* Give up a detached stream: closes the descriptor, frees; no events. NULL: nothing to do. */
void stream_discard(struct stream *s);

/* When bytes arrived last, whether the owner got them or not (TLS gives whole records); and how
 * many have arrived since it was given some. */
uint64_t stream_heard_ms(const struct stream *s);
uint32_t stream_undelivered(const struct stream *s);

/* Facts about it. */
/* "192.0.2.7:50123", "[2001:db8::1]:50123", "unix:uid=1000", "memory"; returns the length. */
#define STREAM_PEER_TEXT 96
size_t stream_peer_text(const struct stream *s, char *out, size_t cap);
/* Opaque bytes that name the source without its port (IPv6: the /64): for fairness and limits on
 * guessing. As text: "192.0.2.7", "unix:uid=1000". */
struct slice stream_peer_key(const struct stream *s);
size_t stream_peer_key_text(const struct stream *s, char *out, size_t cap);
/* Does the peer have an address of a network, which limits for each address count? */
bool stream_has_address(const struct stream *s);
/* The peer itself, for rules about addresses. */
const struct peer_address *stream_peer(const struct stream *s);
/* Who sent the PROXY header that named the peer; NULL: there was none. */
const struct peer_address *stream_proxy(const struct stream *s);
/* When it was accepted, where that is longer ago than its owner has had it; 0: not at all. */
uint64_t stream_accepted_ms(const struct stream *s);
/* False while a handshake is under way: no byte of the peer's has come through yet. */
bool stream_is_established(const struct stream *s);
const char *stream_tls_version(const struct stream *s); /* "TLSv1.3", or "none" */
/* The host name that the client asked for (SNI); "": none. */
const char *stream_server_name(const struct stream *s);
/* The client gave a certificate and it was verified, for this connection too. */
bool stream_has_certificate(const struct stream *s);
/* Names of that kind in the client's certificate: how many there are; the first is appended to
 * *out. Only values that are UTF-8 without U+0000 count; one that is not gives 0. */
size_t stream_certificate_names(const struct stream *s, enum conf_certificate_user kind,
                                struct buf *out);
/* Appends the subject of the client's certificate, for the log: "CN=lamp,O=Home"; nothing where
 * there is none. */
void stream_certificate_subject(const struct stream *s, struct buf *out);
/* The pin of its key. False: there is no certificate, or only a proxy has seen it. */
bool stream_certificate_key(const struct stream *s, uint8_t out[KEY_PIN_BYTES]);
/* Appends it as text; nothing where it is not known. */
void stream_put_certificate_key(const struct stream *s, struct buf *out);
/* When it ends, or a CA above it, by the wall clock in seconds. 0: there is none, or only a proxy
 * has seen it. */
int64_t stream_certificate_until(const struct stream *s);
/* Appends in plain words that the broker's certificate is not for the name that the client asked
 * for, and what to do; nothing where it is, or where there is no such name. */
void stream_put_mismatch(const struct stream *s, struct buf *out);
/* Would its handshake succeed with this (newer) context? Looked at are the TLS version and the
 * client's certificate: its chain, dates and the CRL, or that there is one where one is required.
 * What was verified with the same CAs and CRL is not verified again, except for its dates.
 * `connected`: an expired CRL is no reason any more. Where it does not fit *why says so in plain
 * words. Without TLS it always fits. */
enum stream_fit {
	STREAM_FITS,
	STREAM_NOT_READY, /* its handshake is not done: nothing is known yet */
	STREAM_VERSION_TOO_OLD,
	STREAM_CERTIFICATE_BAD,
};
enum stream_fit stream_fits(const struct stream *s, const struct tls_context *ctx, bool connected,
                            const char **why);

/* --- for implementations --- */

/* What is known of the TLS with the peer once its handshake is done, here or at a proxy: embedded
 * in what can answer more. */
struct stream_tls {
	/* "TLSv1.3" */
	const char *version;
	/* SNI, borrowed; NULL: none. */
	const char *server_name;
	bool has_certificate;
	const struct stream_tls_ops *ops;
};

struct stream_tls_ops {
	size_t (*certificate_names)(const struct stream_tls *tls, enum conf_certificate_user kind,
	                            struct buf *out);
	void (*certificate_subject)(const struct stream_tls *tls, struct buf *out);
	/* NULL: nothing is known of it. */
	bool (*certificate_key)(const struct stream_tls *tls, uint8_t out[KEY_PIN_BYTES]);
	/* NULL: the same. */
	int64_t (*certificate_until)(const struct stream_tls *tls);
	void (*put_mismatch)(const struct stream_tls *tls, struct buf *out);
	enum stream_fit (*fits)(const struct stream_tls *tls, const struct tls_context *ctx,
	                        bool connected, const char **why);
};

/* A proxy that named the peer: embedded in what keeps more of its header. */
struct stream_proxy {
	struct peer_address sender;
	void (*free)(struct stream_proxy *proxy);
};

/* One for the whole stack: the lowest stream has it, each of the others adds what it learns. */
struct stream_facts {
	struct peer_address peer;
	/* Who named the peer by a PROXY header; owned by the lowest stream. NULL: there was none.
	 */
	struct stream_proxy *proxy;
	/* When a PROXY header came to be waited for. */
	uint64_t accepted_ms;
	/* Index of the listener that accepted it. */
	unsigned listener;
	/* Whole packets that the owner got out of its bytes (stream_note_packet). */
	uint32_t packets;
	/* The lowest stream counts what it reads; stream_deliver begins anew. */
	uint32_t undelivered;
	bool established;
	/* What a WebSocket says at its end (RFC 6455 7.4.1); 0: that nothing was wrong. */
	uint16_t close_code;
	uint64_t heard_ms;
	/* Of STREAM_END_WEBSOCKET, in plain words. */
	const char *end_cause;
	/* NULL: no TLS, or its handshake is not done. */
	const struct stream_tls *tls;
};

/* Streams that stand above another one leave out (NULL) what the one below does for them: backlog,
 * accepted, pause, close, abort. The one below is attached first, detached last and freed last, by
 * stream.c.
 */
struct stream_ops {
	/* Bytes now, as many as are there and fit; 0: none, -1: the end, and on_closed comes. Also
	 * while paused. NULL: this stream gives bytes by on_bytes only. */
	ssize_t (*read)(struct stream *s, void *out, size_t cap);
	void (*write)(struct stream *s, struct slice bytes);
	size_t (*backlog)(const struct stream *s);
	uint64_t (*accepted)(const struct stream *s);
	void (*set_paused)(struct stream *s, bool paused);
	/* Not while detached. */
	void (*close)(struct stream *s, uint64_t flush_ms);
	void (*abort)(struct stream *s);
	/* May be NULL. */
	void (*attach)(struct stream *s);
	void (*detach)(struct stream *s);
	void (*free)(struct stream *s);
	/* What the stream below calls, with this one as `arg`; NULL at the bottom. */
	const struct stream_events *inner_events;
};

/* Embedded in each implementation. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *arg;
	struct stream_facts *facts;
	/* The stream below, NULL at the bottom. */
	struct stream *inner;
	/* NULL while detached. */
	struct loop *loop;
	struct executor *executor;
};

/* For the stream above. */
ssize_t stream_read(struct stream *s, void *out, size_t cap);

/* Call the owner. False: it has detached the stream, which may be another thread's by now: touch
 * nothing. stream_deliver wipes `bytes` afterwards while no whole packet has come: the first one
 * has the password. */
bool stream_deliver(struct stream *s, uint8_t *bytes, size_t len);
bool stream_call_readable(struct stream *s);
bool stream_call_drained(struct stream *s);
void stream_call_stage(struct stream *s, enum stream_stage stage);
/* The last call: the stream is freed. */
void stream_call_closed(struct stream *s, enum stream_end end);

/* Events of the stream below that are the owner's, too. */
void stream_pass_stage(void *stream, enum stream_stage stage);
void stream_pass_drained(void *stream);
void stream_pass_closed(void *stream, enum stream_end end);

/* Index of the listener that accepted it. */
static inline unsigned stream_listener(const struct stream *s)
{
	return s->facts->listener;
}

/* For a WebSocket: what its Close frame will say. */
static inline void stream_set_close_code(struct stream *s, uint16_t code)
{
	s->facts->close_code = code;
}

static inline const char *stream_end_cause(const struct stream *s)
{
	return s->facts->end_cause;
}

/* The owner got a whole packet out of what it was given: what is counted against a peer that only
 * makes work (net/tls/tls_work.h) starts again from zero. */
static inline void stream_note_packet(struct stream *s)
{
	s->facts->packets++;
}

#endif
