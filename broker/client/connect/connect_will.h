/* The will of a CONNECT: may it be published, and what it becomes.  Thread: the connection's owner.
 */
#ifndef CLIENT_CONNECT_WILL_H
#define CLIENT_CONNECT_WILL_H

#include "acl/acl.h"
#include "client/conn.h"

struct msg;

/* False: the CONNECT was refused. Asked before the session is touched. True where there is none. */
bool connect_will_is_admitted(struct conn *c, const struct connect *packet,
                              const struct acl_subject *subject);
/* A reference; the will of this packet, for the session. */
struct msg *connect_will_message(struct session *s, const struct connect *packet);

#endif
