/* CONNECT and CONNACK (3.1, 3.2).  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_CONNECT_H
#define PROTO_PACKET_CONNECT_H

#include "proto/property.h"

enum mqtt_version {
	MQTT_3_1_1 = 4,
	MQTT_5_0 = 5,
};

struct will {
	bool present;
	bool retain;
	uint8_t qos;
	struct slice topic;
	struct slice payload;
	struct properties properties; /* 5.0 */
};

struct connect {
	enum mqtt_version version;
	bool bridge;      /* another broker, by the top bit of the level (0x84): taken as 3.1.1 */
	bool clean_start; /* 3.1.1: Clean Session */
	bool has_user_name;
	bool has_password;
	uint16_t keep_alive_s;
	struct slice client_id;
	struct slice user_name;
	struct slice password;
	struct will will;
	struct properties properties;
};

/* Decode and check everything a server can judge from the packet alone: flags, protocol name,
 * version, UTF-8, will rules, surplus bytes. REASON_OK; REASON_UNSUPPORTED_VERSION (out->version
 * then says which form of CONNACK the client would understand: 3.1.1 for levels below 5, 5.0
 * above; the top bit, which bridges set, does not count); REASON_MALFORMED; REASON_PROTOCOL_ERROR.
 * out->version is set as soon as it is known, else MQTT_3_1_1. The will's topic must be a valid
 * topic name (else REASON_MALFORMED), a will payload with Payload Format 1 is UTF-8
 * (REASON_PAYLOAD_FORMAT_INVALID). An empty client id with clean_start 0 under 3.1.1 is
 * REASON_CLIENT_ID_NOT_VALID. [MQTT3-3.1.3-8] */
struct fault connect_decode(const struct frame *frame, struct connect *out);

/* Only as much of a CONNECT as names the client: for moving a connection to its worker before it is
 * decoded. False where the body does not get that far (decoding at any worker will then give the
 * error). */
bool connect_peek_client_id(struct slice body, struct slice *client_id);

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
void connack_encode(struct buf *out, const struct connack *c);

#endif
