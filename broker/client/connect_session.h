/* The session that a CONNECT continues or begins.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_SESSION_H
#define CLIENT_CONNECT_SESSION_H

#include "client/conn.h"
#include "session/session.h"

/* Is there memory for the will and, if it is new, for the session? False: the CONNECT was refused.
 * */
bool connect_session_memory_admits(struct conn *c, const struct connect *packet,
                                   struct slice client_id, bool is_new);
/* The session that this CONNECT continues (`s`, or NULL), or a new one. NULL: the CONNECT was
 * refused. */
struct session *connect_session_attach(struct conn *c, const struct connect *packet,
                                       struct session *s, struct slice client_id, bool *present);

#endif
