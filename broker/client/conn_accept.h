/* How connections come to a worker.  Thread: the worker's. */
#ifndef CLIENT_CONN_ACCEPT_H
#define CLIENT_CONN_ACCEPT_H

#include "client/conn.h"

/* Before the first connection of this worker. */
void conn_accept_init(struct worker *w);
/* A new connection of a listener of this worker. Takes the stream (detached). */
void conn_accept(struct worker *w, struct stream *stream);
/* One that was accepted before for another protocol (http/http_conn.c), and is MQTT from now on:
 * its address is counted, and it had a place (half_open_places.h) until now. Takes the stream
 * (detached). Time since `accepted_ms` counts against limits.connect_timeout. */
void conn_accept_upgraded(struct worker *w, struct stream *stream, uint64_t accepted_ms);
/* A peer inside of this process, whose user has logged in elsewhere (script/script_client.h): its
 * CONNECT is accepted without a login. Neither its address nor its user is counted. Takes the
 * stream (detached), and a reference of its own. The connection is valid until the stream has
 * ended. */
const struct conn *conn_accept_inside(struct worker *w, struct stream *stream,
                                      struct identity *identity);
/* At the end of the turn in which conn_move was called: send it to its owner. */
void conn_accept_at_owner(struct conn *c);

#endif
