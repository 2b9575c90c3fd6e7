/* SUBACK and UNSUBACK (3.9, 3.11).  Pure. */
#ifndef PROTO_PACKET_SUBACK_H
#define PROTO_PACKET_SUBACK_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

/* One code per entry. In 3.1.1 codes from 0x80 on become 0x80. */
void packet_suback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                          const uint8_t *reasons, size_t count, struct slice reason_string);
void packet_unsuback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                            const uint8_t *reasons, size_t count, struct slice reason_string);

#endif
