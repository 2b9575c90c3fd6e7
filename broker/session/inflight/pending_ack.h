/* Packets that a connection must send, in order: each is sent when it is ready and everything
 * before it was sent. PUBACK and PUBREC wait here for what they promise, CONNACK, SUBACK, PUBCOMP
 * likewise.  An acknowledgement outlives its connection: then nobody gets it, so that a late PUBACK
 * never acknowledges a reused packet identifier.  Thread: the connection's owner.
 */
#ifndef SESSION_PENDING_ACK_H
#define SESSION_PENDING_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/frame.h"
#include "proto/reason.h"

struct client_link;
struct worker;

struct pending_ack {
	struct pending_ack *next;
	struct client_link *link; /* NULL: it has gone */
	unsigned refs;
	bool ready;
	bool holds_deliveries; /* a SUBACK or CONNACK: no PUBLISH may overtake it */
	enum packet_type type;
	enum reason reason;
	uint16_t packet_id;
	uint64_t since_ms; /* when it began to wait */
	struct buf bytes; /* the packet itself, where it is not an acknowledgement (packet_ack.h) */
};

/* Queue an acknowledgement. The caller gets a reference that it gives to pending_ack_done or
 * pending_ack_forget. */
struct pending_ack *pending_ack_ack(struct client_link *link, enum packet_type type,
                                    uint16_t packet_id);
/* Queue a packet already encoded (taken over, *bytes is empty afterwards). */
struct pending_ack *pending_ack_packet(struct client_link *link, enum packet_type type,
                                       struct buf *bytes);

/* What it promises is done: it goes out as soon as it is at the head. Gives up the reference.
 * `reason_string` may be empty. */
void pending_ack_done(struct pending_ack **r, enum reason reason, struct slice reason_string);
/* An acknowledgement that is ready already: sent after what is pending before it. */
void pending_ack_send(struct client_link *link, enum packet_type type, uint16_t packet_id,
                      enum reason reason, struct slice reason_string);
/* A PINGRESP, which waits for CONNACK only. */
void pending_ack_ping(struct client_link *link);
/* It leaves when the records gathered so far are durable. Gives up the reference. */
void pending_ack_commit(struct worker *w, struct pending_ack **r);
/* It cannot be stored: the connection closes without it. Gives up the reference. */
void pending_ack_failed(struct pending_ack **r);
/* Has it got its CONNACK? */
bool pending_ack_has_connack(const struct client_link *link);
/* The connection ends: nobody gets what it was still owed. */
void pending_acks_forget(struct client_link *link);

#endif
