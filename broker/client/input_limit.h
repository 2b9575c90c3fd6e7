/* How much a connection may send while its answers wait for the store.  It owes at most the Receive
 * Maximum of PUBLISH packets and 64 other answers; above that it is not read.  One exception: while
 * the store lacks space, a connection with unacknowledged deliveries is read on ("draining"),
 * because the acknowledgements that free the store may stand behind what it sent.  The first packet
 * that would exceed the bound is skipped then, and from there on only acknowledgements and
 * DISCONNECT are acted on, until the connection is closed: a client sends the rest again after a
 * reconnect.  Thread: the connection's. */
#ifndef CLIENT_INPUT_LIMIT_H
#define CLIENT_INPUT_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/frame.h"

struct conn;
struct drain;

/* What a connection owes. Embedded in it. */
struct input_limit {
	uint32_t publishes; /* PUBACK, PUBREC, PUBCOMP that wait */
	uint32_t others;    /* all other answers that wait, but PINGRESP */
	uint32_t pings;     /* PINGRESPs that wait for CONNACK */
	uint32_t deferred;  /* QoS 1 and 2 PUBLISH packets that wait for space (deferred.h) */
	bool journal_full;  /* something of it waits in a journal that is above its mark */
	struct drain *drain;
};

/* An answer of this type waits from now on, or has left. */
void input_limit_add(struct conn *c, enum packet_type type);
void input_limit_remove(struct conn *c, enum packet_type type);
/* Something of this connection was given to the journal. */
void input_limit_note_journal(struct conn *c);

/* Does it owe as much as it may? */
bool input_limit_is_reached(const struct conn *c);
/* Pause reading, drain, or go on reading, as it is now. May close the connection: not from inside a
 * packet's handler. */
void input_limit_apply(struct conn *c);
/* Of a connection that drains. False: this packet is skipped. */
bool input_limit_admits(struct conn *c, const struct frame *f);
/* Bytes have come to one that drains. */
void input_limit_heard(struct conn *c);
/* Answers owed, of all kinds. */
uint32_t input_limit_owed(const struct conn *c);
/* The connection ends. */
void input_limit_forget(struct conn *c);

#endif
