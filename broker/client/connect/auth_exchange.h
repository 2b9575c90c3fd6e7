/* Enhanced authentication (MQTT 5.0, section 4.12) by SCRAM-SHA-256: the state between the AUTH
 * packets (auth_packets.h), the decision and its outcome.  Thread: the connection's owner. */
#ifndef CLIENT_AUTH_EXCHANGE_H
#define CLIENT_AUTH_EXCHANGE_H

#include "client/conn.h"
#include "proto/packet_auth.h"

/* One exchange; exists only while it is under way. */
struct auth_exchange;

/* `connect` is copied: the CONNECT that waits; empty: a connected client re-authenticates. */
void auth_exchange_start(struct conn *c, struct slice connect);
/* Answer the CONNECT that waits: the exchange may be over afterwards. */
void auth_exchange_begin(struct conn *c);
/* The next AUTH of the client: the exchange may be over afterwards. A fault: it goes on, and the
 * caller decides. */
struct fault auth_exchange_take(struct conn *c, const struct auth *auth);
/* It is over: the CONNECT is refused, or the connection closed. The peer learns the cause. */
void auth_exchange_fail(struct conn *c, struct fault fault);

#endif
