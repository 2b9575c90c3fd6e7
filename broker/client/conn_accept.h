/* How connections come to a worker.  Thread: the worker's. */
#ifndef CLIENT_CONN_ACCEPT_H
#define CLIENT_CONN_ACCEPT_H

#include "client/conn.h"

/* A new connection of a listener of this worker. Takes the stream (detached). */
void conn_accept(struct worker *w, struct stream *stream);
/* At the end of the turn in which conn_move was called: send it to its owner. */
void conn_accept_at_owner(struct conn *c);

#endif
