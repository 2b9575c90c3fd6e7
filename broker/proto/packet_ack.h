/* PUBACK, PUBREC, PUBREL, PUBCOMP (3.4 to 3.7): one shape.  Pure. */
#ifndef PROTO_PACKET_ACK_H
#define PROTO_PACKET_ACK_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

struct ack {
	uint16_t packet_id;
	enum reason reason; /* REASON_SUCCESS in 3.1.1 */
	struct properties properties;
};

/* REASON_OK; REASON_MALFORMED for wrong flags (PUBREL 2, others 0), identifier 0, surplus bytes;
 * REASON_PROTOCOL_ERROR for a reason code that this packet type does not have: it can be parsed,
 * but is not allowed (5.0, section 1.2). Reason code and properties may be left out from the end.
 */
struct fault packet_ack_decode(const struct frame *frame, enum mqtt_version version,
                               struct ack *out);
/* packet_id is not 0. `reason_string` may be empty; reason and properties are left out in 3.1.1 and
 * where they say success. */
void packet_ack_encode(struct buf *out, enum mqtt_version version, enum packet_type type,
                       uint16_t packet_id, enum reason reason, struct slice reason_string);

#endif
