/* Connections of one address, and accepted clients of one user: counted for all workers together.
 * Thread: the connection's worker. */
#ifndef CLIENT_CONNECTION_LIMITS_H
#define CLIENT_CONNECTION_LIMITS_H

#include "client/conn.h"

/* Count one more connection of this address; give it back with connection_limits_give_address.
 * False: the limit is reached, which is logged. The caller does not count Unix sockets. */
bool connection_limits_take_address(struct worker *w, struct stream *stream,
                                    const struct conf_listener *l);
void connection_limits_give_address(struct worker *w, const struct stream *stream);
/* Count one more accepted client of c's user; `s`: the session that it will continue, or NULL: a
 * connection that it takes over does not count. Given back with connection_limits_give_user, which
 * does nothing if it was not counted. */
bool connection_limits_take_user(struct conn *c, const struct session *s);
void connection_limits_give_user(struct conn *c);

/* It becomes a client of its listener, by version of TLS, or is one no more. */
void connection_limits_begin_client(struct conn *c);
void connection_limits_end_client(struct conn *c);

#endif
