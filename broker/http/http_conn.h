/* A connection that speaks HTTP: requests come one after the other, each is an exchange.  Thread:
 * the worker's that accepted it. */
#ifndef HTTP_HTTP_CONN_H
#define HTTP_HTTP_CONN_H

#include "http/http_link.h"

/* A new connection of a listener with protocol: https. Takes the stream (detached). */
void http_conn_accept(struct worker *w, struct stream *stream);
/* Close it in order: what was written leaves first. Does nothing if it is closing. */
void http_conn_close(struct http_conn *c);

#endif
