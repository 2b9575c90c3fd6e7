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
 * removed, the new one gets its owner, group and mode. */
int socket_bind(const struct conf_listener *conf, uint16_t *port, bool probe, struct errors *errors,
                const char *conf_path);

/* The Unix socket that is bound already gets the owner, group and mode of this configuration. 0 or
 * -errno. */
int socket_bind_permit(const struct conf_listener *conf, struct errors *errors,
                       const char *conf_path);

/* What a start would find wrong with it, without binding: the directory of a Unix socket, its owner
 * and group. 0 or -errno. */
int socket_bind_check(const struct conf_listener *conf, struct errors *errors,
                      const char *conf_path);

#endif
