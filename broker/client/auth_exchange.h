/* Enhanced authentication (MQTT 5.0, section 4.12) by SCRAM-SHA-256: the AUTH packets between
 * CONNECT and CONNACK, and the same again when a client re-authenticates.  Thread: the connection's
 * owner. */
#ifndef CLIENT_AUTH_EXCHANGE_H
#define CLIENT_AUTH_EXCHANGE_H

#include "client/conn.h"

/* One exchange; exists only while it is under way. */
struct auth_exchange;

/* A CONNECT with an Authentication Method, at the head of the input: it is removed from there. A
 * fault: nothing has begun, the caller refuses the CONNECT. */
struct fault auth_exchange_begin(struct conn *c, const struct frame *f,
                                 const struct connect *packet);
/* Handle the input before CONNACK. */
void auth_exchange_continue(struct conn *c);

/* AUTH after CONNACK: the client re-authenticates, while everything else goes on. */
struct fault on_auth(struct client_link *link, const struct frame *f);

#endif
