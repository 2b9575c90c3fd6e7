/* A valid CONNECT at the head of the input, while its login is under way.  Thread: the connection's
 * owner. */
#ifndef CLIENT_WAITING_CONNECT_H
#define CLIENT_WAITING_CONNECT_H

#include "client/conn.h"

/* What can be read of the CONNECT that the connection has sent, at the head of the input or in the
 * attempt that took it: it may be cut short or not valid (packet_connect_peek). For the log, and
 * for the form of a CONNACK. False: not even its version. */
bool waiting_connect_peek(const struct conn *c, struct connect *packet);
void waiting_connect_decode(struct conn *c, struct connect *packet);
/* Its outcome is known: remove it, and wipe the password in it. */
void waiting_connect_drop(struct conn *c);

#endif
