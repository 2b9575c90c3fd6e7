/* Listening sockets: every worker has one of its own per TCP address (SO_REUSEPORT), Unix sockets
 * live on worker 0. Thread: the loop's. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "conf/conf.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

struct listener;

struct listener_settings {
	const struct conf_listener *conf; /* borrowed until closed */
	unsigned index;                   /* stream_listener() of what it accepts */
	struct tls_context *tls;          /* a reference is taken; NULL for unix */
};

/* A new connection, not yet attached: attach it (its handshake begins then) or discard it. */
typedef void listener_accept_fn(void *arg, struct stream *stream);

/* The descriptor, bound and listening, made by main before privileges are dropped: fd or -errno
 * with an error text for people. Port 0: *port gets the one that was chosen, for the other workers'
 * sockets of the same address (give it back in *port). The first bind of an address is without
 * SO_REUSEPORT, as a probe that nobody else has it. Unix: directory not writable by others, stale
 * socket of nobody removed, created with umask, then owner, group, mode. */
int listener_bind(const struct conf_listener *conf, uint16_t *port, bool probe,
                  struct errors *errors, const char *conf_path);

/* The Unix socket that is bound already gets the owner, group and mode of this configuration. 0 or
 * -errno. */
int listener_permit(const struct conf_listener *conf, struct errors *errors, const char *conf_path);

/* What a start would find wrong with it, without binding: the directory of a Unix socket, its owner
 * and group. 0 or -errno. */
int listener_check(const struct conf_listener *conf, struct errors *errors, const char *conf_path);

/* Take over the descriptor and accept on this loop. While descriptors are out (EMFILE, ENFILE) it
 * pauses, says so once, and goes on when some are free again; no spinning. At most a few accepts
 * per turn. */
struct listener *listener_open(struct loop *loop, int fd, const struct listener_settings *settings,
                               listener_accept_fn *on_accept, void *arg);
/* Stop and resume accepting by decision of the owner (connection limit). */
/* Accept nothing for so long: the crowd waits in the kernel. NULL: nothing to do. */
void listener_hold(struct listener *l, uint64_t ms);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Reload: the same listener's place in the new configuration (borrowed until closed, or replaced).
 */
void listener_set_conf(struct listener *l, const struct conf_listener *conf);
/* Reload: for every handshake that begins from now on, of connections accepted before too. */
void listener_set_tls(struct listener *l, struct tls_context *tls);
/* Closes; connections whose handshake has not begun will not begin one. Freed once the loop let go
 * of it. A unix socket's file is removed. */
void listener_close(struct listener *l);

#endif
