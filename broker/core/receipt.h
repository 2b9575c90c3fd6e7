/* Packets that a connection owes, in the order in which it owes them: each leaves when it is ready
 * and everything before it has left. PUBACK and PUBREC wait here for what they promise, CONNACK,
 * SUBACK, PUBCOMP likewise.  A receipt outlives its connection: then nobody gets it, so that a late
 * PUBACK never acknowledges a reused packet identifier.  Thread: the connection's home. */
#ifndef CORE_RECEIPT_H
#define CORE_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/ack.h"

struct conn;

struct receipt {
	struct receipt *next;
	struct conn *conn; /* NULL: it has gone */
	unsigned refs;
	bool ready;
	bool holds_deliveries; /* a SUBACK or CONNACK: no PUBLISH may overtake it */
	enum packet_type type;
	enum reason reason;
	uint16_t packet_id;
	struct buf
	    bytes; /* the packet itself, where it is not an acknowledgement of the ack.h kind */
};

/* Queue an acknowledgement. The caller gets a reference that it gives to receipt_done or
 * receipt_forget. */
struct receipt *receipt_ack(struct conn *c, enum packet_type type, uint16_t packet_id);
/* Queue a packet already encoded (taken over, *bytes is empty afterwards). */
struct receipt *receipt_packet(struct conn *c, enum packet_type type, struct buf *bytes);

/* What it promises is done: it goes out as soon as it is at the head. Gives up the reference.
 * `reason_string` may be empty. */
void receipt_done(struct receipt **r, enum reason reason, struct slice reason_string);
/* An acknowledgement that is ready already: leaves behind what is owed before it. */
void receipt_send(struct conn *c, enum packet_type type, uint16_t packet_id, enum reason reason,
                  struct slice reason_string);
/* A PINGRESP, which waits for CONNACK only. */
void receipt_ping(struct conn *c);
/* It will never be kept: the connection closes without it. Gives up the reference. */
void receipt_failed(struct receipt **r);
/* The connection ends: nobody gets what it was still owed. */
void receipts_forget(struct conn *c);

#endif
