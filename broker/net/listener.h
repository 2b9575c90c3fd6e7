/* Listening sockets: each worker has one of its own for a TCP address (SO_REUSEPORT); Unix sockets
 * belong to worker 0. Thread: the loop's. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "conf/conf.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls/tls_context.h"

struct listener;

struct listener_settings {
	const struct conf_listener *conf; /* borrowed until closed */
	unsigned index;                   /* stream_listener() of what it accepts */
	struct tls_context *tls;          /* a reference is taken; NULL for listeners without TLS */
	bool takes_reserve;               /* its clients may have the last descriptors */
	/* Counted: closed because of allow_from, and of a PROXY header. NULL: not counted. */
	_Atomic uint64_t *refused_addresses, *refused_proxies;
};

/* A new connection, not yet attached: attach it (its handshake begins then) or discard it. It has
 * passed allow_from, and its PROXY header has been read. */
typedef void listener_accept_fn(void *arg, struct stream *stream);

/* "mqtt"; the lowest TLS version that is accepted: "none", "1.3", "1.2 and up". */
const char *listener_protocol_text(const struct conf_listener *conf);
const char *listener_tls_text(const struct conf_listener *conf);

/* Take over the descriptor and accept on this loop. Without free descriptors (EMFILE, ENFILE) it
 * pauses, logs that once, and tries again later; no spinning. At most a few accepts per turn. */
struct listener *listener_open(struct loop *loop, int fd, const struct listener_settings *settings,
                               listener_accept_fn *on_accept, void *arg);
/* Accept nothing for so long: new connections wait in the kernel. NULL: nothing to do. */
void listener_hold(struct listener *l, uint64_t ms);
/* Reload: the same listener's place in the new configuration (borrowed until closed, or replaced).
 * Where it takes PROXY headers now and did not before, or the other way round, connections whose
 * header has not come are closed. */
void listener_set_conf(struct listener *l, const struct conf_listener *conf);
/* Reload: for every handshake that begins from now on, of connections accepted before too. */
void listener_set_tls(struct listener *l, struct tls_context *tls);
/* Connections whose handshake has not begun will not begin one. A Unix socket's file is removed. */
void listener_close(struct listener *l);

#endif
