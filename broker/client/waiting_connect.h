/* A valid CONNECT at the head of the input, while its login is under way.  Thread: the connection's
 * owner. */
#ifndef CLIENT_WAITING_CONNECT_H
#define CLIENT_WAITING_CONNECT_H

#include "client/conn.h"

void waiting_connect_decode(struct conn *c, struct connect *packet);
/* Its outcome is known: remove it, and wipe the password in it. */
void waiting_connect_drop(struct conn *c);

#endif
