/* Descriptors that listen: made by main before privileges are dropped.  Thread: main. */
#ifndef NET_SOCKET_BIND_H
#define NET_SOCKET_BIND_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/errors.h"

/* A descriptor, bound and listening, or -errno with an error text for people. Port 0: *port gets
 * the one that was chosen, for the other workers' sockets of the same address (give it back in
 * *port). `probe`: the first bind of an address is without SO_REUSEPORT, to find out whether
 * another program has it. Unix: the directory must not be writable by others, a stale socket is
 * removed, the new one gets its owner, group and mode. Where the service manager has passed a
 * socket of this address, a duplicate of that. */
int socket_bind(const struct conf_listener *conf, uint16_t *port, bool probe, struct errors *errors,
                const char *conf_path);

/* What only root can do, before it becomes another user: where the port is one below 1024 and
 * nobody has passed its socket, it is bound and kept (inherited_sockets.h), and socket_bind finds
 * it. 0 or -errno, as above. */
int socket_bind_early(const struct conf_listener *conf, struct errors *errors,
                      const char *conf_path);

/* The Unix socket that is bound already gets the owner, group and mode of this configuration. 0 or
 * -errno. */
int socket_bind_permit(const struct conf_listener *conf, struct errors *errors,
                       const char *conf_path);

/* What would be found wrong with it, without making anything: the directory of a Unix socket, its
 * owner and group. `starts`: also what only a start meets, which makes all sockets: a file in the
 * place of a socket, an address or port that this machine refuses. 0 or -errno; -EADDRINUSE, the
 * port is in use, is not reported: it may be the broker that runs. */
int socket_bind_check(const struct conf_listener *conf, bool starts, struct errors *errors,
                      const char *conf_path);
/* The place of its socket among those that the service manager has passed (inherited_sockets.h);
 * -1: it makes one itself. */
int socket_bind_inherited(const struct conf_listener *conf);
/* Does a program listen at this Unix socket? */
bool socket_bind_is_served(const char *path);

#endif
