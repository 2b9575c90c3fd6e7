/* What happens to a CONNECT whose login has succeeded.  Thread: the connection's owner. */
#ifndef CLIENT_CONNECT_ACCEPT_H
#define CLIENT_CONNECT_ACCEPT_H

#include "client/conn.h"

/* c->identity is set. The CONNECT is accepted, or refused for another reason. CONNACK carries
 * `auth_data` if the login was an exchange. Section 3.1.4. */
void connect_accept(struct conn *c, const struct connect *packet, struct slice auth_data);

#endif
