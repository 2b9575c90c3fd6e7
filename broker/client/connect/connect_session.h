/* The session that a CONNECT continues or begins.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_SESSION_H
#define CLIENT_CONNECT_SESSION_H

#include "client/conn.h"
#include "session/session.h"

/* Is there memory for the will and, if it is new, for the session? False: the CONNECT was refused.
 * */
bool connect_session_memory_admits(struct conn *c, const struct connect *packet,
                                   struct slice client_id, bool is_new);

/* The session is attached; `present`: it was there before. */
typedef void connect_session_done_fn(struct conn *c, const struct connect *packet, bool present,
                                     struct slice auth_data);

/* Attach the session, which may take turns; nothing is read from the client meanwhile. Calls
 * `done`, unless the CONNECT is refused or the connection ends before. */
void connect_session_begin(struct conn *c, const struct connect *packet,
                           const struct session_key *key, struct slice auth_data,
                           connect_session_done_fn *done);
/* An older connection of the session is closed: session_upcalls.on_taken_over. */
void connect_session_taken_over(struct client_link *old, struct client_link *link);

#endif
