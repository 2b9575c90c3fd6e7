/* How a CONNECT is refused.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_REFUSE_H
#define CLIENT_CONNECT_REFUSE_H

#include "auth/login.h"
#include "client/conn.h"

/* CONNACK with this code (what the version has of it), one line in the log, close. The Reason
 * String is the cause, where the client takes one. */
void connect_refuse(struct conn *c, const struct connect *packet, struct fault fault);
/* The same for a cause that the peer must not learn: the code alone. */
void connect_refuse_by_code(struct conn *c, const struct connect *packet, struct fault fault);
/* The same for a verdict other than accepted. */
void connect_refuse_login(struct conn *c, const struct connect *packet, enum login_verdict verdict,
                          const char *why);
/* The same for the CONNECT at the head of the input, which may be cut short or not valid. */
void connect_refuse_input(struct conn *c, struct fault fault);
/* A listener with a server_reference sends its clients there. True: that was done, and the
 * connection closes. Section 4.13.2. */
bool connect_refuse_elsewhere(struct conn *c, const struct connect *packet);
/* CONNACK with this code in place of the one that the client waits for: its login is under way,
 * or what it promises is being written. False: no CONNECT is here, or none that is valid. */
bool connect_refuse_waiting(struct conn *c, struct fault fault, struct slice server_reference);

#endif
