/* Enhanced authentication (MQTT 5.0, section 4.12) by SCRAM-SHA-256: the AUTH packets between
 * CONNECT and CONNACK, and the same again later, when the client authenticates anew.  Thread: the
 * connection's home. */
#ifndef CLIENT_AUTH_EXCHANGE_H
#define CLIENT_AUTH_EXCHANGE_H

#include "client/conn.h"

/* One exchange; exists only while it is under way. */
struct auth_exchange;

/* A CONNECT with an Authentication Method, at the head of c->in: it is taken from there. A fault:
 * nothing was begun, the CONNECT is to be refused with it. */
struct fault auth_exchange_begin(struct conn *c, const struct frame *f,
                                 const struct connect *packet);
/* Handle what has arrived in c->in before CONNACK. */
void auth_exchange_continue(struct conn *c);
/* Its first login ends with a CONNACK with this reason. `cause` is for the log. */
void auth_exchange_refuse(struct conn *c, enum reason reason, const char *cause);
/* What it takes of memory; 0: there is none. */
size_t auth_exchange_memory(const struct conn *c);
/* The connection ends. */
void auth_exchange_cancel(struct conn *c);

/* AUTH after CONNACK: the client authenticates anew, while everything else goes on. */
struct fault on_auth(struct client_link *link, const struct frame *f);

#endif
