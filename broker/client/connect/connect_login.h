/* The login of a CONNECT without an Authentication Method.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_LOGIN_H
#define CLIENT_CONNECT_LOGIN_H

#include "client/conn.h"

/* The packet is at the head of the input. It is accepted or refused now or later. */
void connect_login_start(struct conn *c, const struct connect *packet);

#endif
