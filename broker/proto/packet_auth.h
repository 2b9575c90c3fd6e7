/* AUTH (3.15).  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_AUTH_H
#define PROTO_PACKET_AUTH_H

#include "proto/property.h"

struct auth {
	enum reason reason; /* 0x00, 0x18, 0x19 */
	struct properties properties;
};

/* 5.0 only. Without Authentication Method REASON_PROTOCOL_ERROR; only the empty body, which means
 * success, has none. Whether success may come from a client is for the caller to decide. */
struct fault packet_auth_decode(const struct frame *frame, struct auth *out);
void packet_auth_encode(struct buf *out, enum reason reason, struct slice method,
                        struct slice data);

#endif
