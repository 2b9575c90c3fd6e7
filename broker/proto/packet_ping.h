/* PINGREQ and PINGRESP (3.12, 3.13).  Pure. */
#ifndef PROTO_PACKET_PING_H
#define PROTO_PACKET_PING_H

#include "proto/fault.h"
#include "proto/frame.h"

struct fault packet_ping_decode(const struct frame *frame); /* either */
void packet_ping_encode(struct buf *out);                   /* PINGRESP */
void packet_ping_encode_request(struct buf *out);           /* PINGREQ */

#endif
