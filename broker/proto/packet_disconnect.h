/* DISCONNECT (3.14).  Pure. */
#ifndef PROTO_PACKET_DISCONNECT_H
#define PROTO_PACKET_DISCONNECT_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

struct disconnect {
	enum reason reason;
	struct properties properties; /* session expiry, reason string */
};

/* A reason code that a client may not send is REASON_PROTOCOL_ERROR, as in AUTH.
 * [MQTT5-3.14.2-1] */
struct fault packet_disconnect_decode(const struct frame *frame, enum mqtt_version version,
                                      struct disconnect *out);
/* 5.0 only: a 3.1.1 server has no DISCONNECT to send. */
void packet_disconnect_encode(struct buf *out, enum reason reason, struct slice reason_string,
                              struct slice server_reference);

/* At a client (5.0: a server of 3.1.1 has no DISCONNECT): all reason codes but the one that asks
 * for the will. */
struct fault packet_disconnect_decode_of_server(const struct frame *frame, struct disconnect *out);
/* Of a client; 3.1.1 has no body. */
void packet_disconnect_encode_of_client(struct buf *out, enum mqtt_version version,
                                        enum reason reason);

#endif
