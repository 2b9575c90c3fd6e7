/* The session that a CONNECT continues or begins.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_SESSION_H
#define CLIENT_CONNECT_SESSION_H

#include "client/conn.h"
#include "session/session.h"

/* Is there memory for the will and, where it is new, for the session? False: the CONNECT was
 * refused. A client that comes back to its session is let in to drain it. */
bool connect_session_memory_admits(struct conn *c, const struct connect *packet,
                                   struct slice client_id, bool is_new);
/* `s`: the session that there is, or NULL. NULL: the CONNECT was refused. */
struct session *connect_session_attach(struct conn *c, const struct connect *packet,
                                       struct session *s, struct slice client_id, bool *present);

#endif
