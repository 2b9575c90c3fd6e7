/* How fast requests of one connection are taken: the next one waits while a reader leaves the
 * answers before it unread, and when the connection has had its share of a turn. So what a client
 * can make the broker keep is one answer and HTTP_PACE_BYTES, however many requests it sends ahead.
 * Thread: the worker's. */
#ifndef HTTP_HTTP_PACE_H
#define HTTP_HTTP_PACE_H

#include "http/http_link.h"

/* Bytes of answers that may wait for the reader before the next request is taken. */
#define HTTP_PACE_BYTES STREAM_BACKLOG_LOW
/* Requests of one connection in one turn of its worker. */
#define HTTP_PACE_REQUESTS 8

/* An answer is complete. True: the next request waits (HTTP_STATE_PACED); ops->next_request is
 * called when it need not any more. The timer is not armed. */
bool http_pace_holds(struct http_conn *c);
/* The reader has taken some, or all. Does nothing in another state. */
void http_pace_drained(struct http_conn *c);
/* It closes, or is freed. May be called again. */
void http_pace_forget(struct http_conn *c);
/* Let some of those go on that have had their share of an earlier turn. True: some still wait. */
bool http_pace_turn(struct worker *w);

#endif
