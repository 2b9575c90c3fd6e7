/* PINGREQ, PINGRESP, DISCONNECT, AUTH (3.12 to 3.15).  Pure. */
#ifndef PROTO_PACKET_DISCONNECT_H
#define PROTO_PACKET_DISCONNECT_H

#include "proto/packet_connect.h"

struct fault pingreq_decode(const struct frame *frame);
void pingresp_encode(struct buf *out);

struct disconnect {
	enum reason reason;
	struct properties properties; /* session expiry, reason string */
};

/* A reason code that a client may not send is REASON_PROTOCOL_ERROR, as in AUTH.
 * [MQTT5-3.14.2-1] */
struct fault disconnect_decode(const struct frame *frame, enum mqtt_version version,
                               struct disconnect *out);
/* 5.0 only: a 3.1.1 server has no DISCONNECT to send. */
void disconnect_encode(struct buf *out, enum reason reason, struct slice reason_string,
                       struct slice server_reference);

struct auth {
	enum reason reason; /* 0x00, 0x18, 0x19 */
	struct properties properties;
};

/* 5.0 only. Without Authentication Method REASON_PROTOCOL_ERROR; only the empty body, which means
 * success, has none. Whether success may come from a client is the caller's to judge. */
struct fault auth_decode(const struct frame *frame, struct auth *out);
void auth_encode(struct buf *out, enum reason reason, struct slice method, struct slice data);

#endif
