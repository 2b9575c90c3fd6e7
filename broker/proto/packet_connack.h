/* CONNACK (3.2) both ways.  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_CONNACK_H
#define PROTO_PACKET_CONNACK_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

/* What a CONNACK says. Properties are left out where they say the standard's default. */
struct connack {
	enum mqtt_version version;
	bool session_present;
	enum reason reason; /* 3.1.1: mapped to the return code */
	bool has_session_expiry;
	bool has_server_keep_alive;
	bool retain_unavailable;
	uint8_t max_qos; /* 2: left out */
	uint16_t server_keep_alive_s;
	uint16_t receive_maximum;     /* 65535 or 0: left out */
	uint16_t topic_alias_maximum; /* 0: left out */
	uint32_t session_expiry_s;
	uint32_t max_packet_bytes; /* 0: left out */
	struct slice assigned_client_id;
	struct slice reason_string;
	struct slice response_information;
	struct slice auth_method, auth_data;
	struct slice server_reference;
};

/* Appends nothing where 3.1.1 has no return code for the reason: the server just closes.
 * [MQTT3-3.2.2-6] */
void packet_connack_encode(struct buf *out, const struct connack *c);
/* At a client. What the packet leaves out has the standard's default: max_qos 2, receive_maximum
 * 65535, the others 0. A return code of 3.1.1 becomes the reason that it stands for, an unknown one
 * REASON_UNSPECIFIED. `properties` has what *out has no member for. REASON_OK; REASON_MALFORMED;
 * REASON_PROTOCOL_ERROR, also for a session that is present in a refusal. [MQTT3-3.2.2-4]
 * [MQTT5-3.2.2-6] */
struct fault packet_connack_decode(const struct frame *frame, enum mqtt_version version,
                                   struct connack *out, struct properties *properties);

#endif
