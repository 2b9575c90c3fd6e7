/* Would this connection be admitted now?  A reload changes what is allowed while connections are on
 * their way in, so each is checked once per configuration, by what is known of it at its stage: its
 * listener, the TLS version, its certificate and, once it is connected, its identity.  Limits,
 * rates and delays are not checked.
 *
 * From the moment at which a worker takes a new configuration, nothing is read from a connection
 * and nothing is delivered to it before it was checked again.  The first of these does it: a read,
 * a delivery, or admission_turn, which goes through all connections, some in each turn, and closes
 * those that are refused.  Thread: the connection's owner. */
#ifndef CLIENT_ADMISSION_H
#define CLIENT_ADMISSION_H

#include "client/conn.h"

/* Check it against the configuration in force, where that was not done yet. Nothing is written or
 * closed: c is only marked. Once refused it stays refused. */
bool admission_check(struct client_link *link);

/* Close a refused connection as its stage allows: with DISCONNECT, with the CONNACK that it waits
 * for, or without a packet before its CONNECT has arrived. */
void admission_close(struct conn *c);

/* The worker has another configuration: check all connections, and then all sessions, whose user
 * may be removed and whose will may be denied. `done` runs on the worker when that is over. */
typedef void admission_done_fn(void *arg);
void admission_start(struct worker *w, admission_done_fn *done, void *arg);
/* A part of that, at the end of a turn. True: there is more to do. */
bool admission_turn(struct worker *w);
/* The connection leaves the worker's list. */
void admission_forget(struct conn *c);

#endif
