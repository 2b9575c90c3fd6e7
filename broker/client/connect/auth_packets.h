/* The packets of enhanced authentication: CONNECT with an Authentication Method, AUTH between it
 * and CONNACK, and AUTH of a connected client.  Thread: the connection's owner. */
#ifndef CLIENT_AUTH_PACKETS_H
#define CLIENT_AUTH_PACKETS_H

#include "client/conn.h"

/* A CONNECT with an Authentication Method, at the head of the input: it is removed from there. A
 * fault: nothing has begun, the caller refuses the CONNECT. */
struct fault auth_packets_begin(struct conn *c, const struct frame *f,
                                const struct connect *packet);
/* Handle the input before CONNACK. */
void auth_packets_continue(struct conn *c);

/* AUTH after CONNACK: the client re-authenticates, while everything else goes on. */
struct fault on_auth(struct client_link *link, const struct frame *f);

#endif
