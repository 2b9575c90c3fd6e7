/* Connections of one address, and accepted clients of one user: counted for all workers together.
 * Thread: the connection's worker. */
#ifndef CLIENT_CONNECTION_LIMITS_H
#define CLIENT_CONNECTION_LIMITS_H

#include "client/conn.h"

/* One more connection of this address: counted when true, given back with
 * connection_limits_give_address; else it is told. Unix sockets are let through by the caller. */
bool connection_limits_take_address(struct worker *w, struct stream *stream,
                                    const struct conf_listener *l);
void connection_limits_give_address(struct worker *w, const struct stream *stream);
/* One more accepted client of c's user; `s`: the session it will continue, or NULL. What it takes
 * over does not count. Given back with connection_limits_give_user, which is fine for one that was
 * not counted. */
bool connection_limits_take_user(struct conn *c, const struct session *s);
void connection_limits_give_user(struct conn *c);

#endif
