/* A client's certificate that ends while it is connected ends the connection, by the wall clock:
 * within seconds, too, when that is set.  Thread: the worker's. */
#ifndef CLIENT_CERTIFICATE_END_H
#define CLIENT_CERTIFICATE_END_H

#include "client/conn.h"

/* The connection was accepted: watch its certificate, where it has one, and log that it ends soon.
 */
void certificate_end_watch(struct conn *c);
/* A part of the walk through all connections, at the end of a turn, when one may have ended. True:
 * there is more to do. */
bool certificate_end_turn(struct worker *w);
/* The connection leaves the worker's list. */
void certificate_end_forget(struct conn *c);

#endif
