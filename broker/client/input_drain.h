/* A connection that owes as many answers as it may (session/inflight/input_limit.h) is not read.
 * One exception: while the store lacks space, a connection with unacknowledged deliveries is read
 * on
 * ("draining"), because the acknowledgements that free the store may come after what it sent. The
 * first packet that would exceed the limit is skipped then, and from there on only acknowledgements
 * and DISCONNECT are handled, until the connection closes: a client sends the rest again after a
 * reconnect.  Thread: the connection's owner. */
#ifndef CLIENT_INPUT_DRAIN_H
#define CLIENT_INPUT_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/frame.h"

struct conn;

/* Pause reading, drain, or go on reading, whichever applies now. May close the connection: not to
 * be called by a packet's handler. */
void input_drain_apply(struct conn *c);
/* Of a connection that drains. False: this packet is skipped. */
bool input_drain_admits(struct conn *c, const struct frame *f);
/* Bytes have arrived while it drains. */
void input_drain_heard(struct conn *c);
/* The connection ends. */
void input_drain_forget(struct conn *c);

#endif
