/* SUBACK and UNSUBACK (3.9, 3.11) both ways.  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_SUBACK_H
#define PROTO_PACKET_SUBACK_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

/* One code per entry. In 3.1.1 codes from 0x80 on become 0x80. */
void packet_suback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                          const uint8_t *reasons, size_t count, struct slice reason_string);
void packet_unsuback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                            const uint8_t *reasons, size_t count, struct slice reason_string);

struct suback {
	uint16_t packet_id;
	struct slice reasons; /* one for each entry; empty in an UNSUBACK of 3.1.1 */
	struct properties properties;
};

/* At a client: either packet. REASON_OK; REASON_MALFORMED; REASON_PROTOCOL_ERROR for a code that
 * the packet does not have. Whether there is one code for each filter is for the caller. */
struct fault packet_suback_decode(const struct frame *frame, enum mqtt_version version,
                                  struct suback *out);

#endif
