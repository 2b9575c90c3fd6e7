/* CONNECT (3.1) both ways.  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_CONNECT_H
#define PROTO_PACKET_CONNECT_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

struct will {
	bool present;
	bool retain;
	uint8_t qos;
	struct slice topic;
	struct slice payload;
	struct properties properties; /* 5.0 */
};

struct connect {
	struct slice body; /* all of it, without the fixed header */
	enum mqtt_version version;
	struct slice protocol; /* its name, and its level, as the client sent them; */
	uint8_t level;         /* empty and 0: not known */
	bool has_client_id;    /* packet_connect_peek */
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

/* Decode and check everything that the packet alone decides: flags, protocol name,
 * version, UTF-8, will rules, surplus bytes. REASON_OK; REASON_UNSUPPORTED_VERSION (for another
 * protocol name too; out->version then says which form of CONNACK the client would understand:
 * 3.1.1 for levels below 5, 5.0 above; the top bit, which bridges set, does not count);
 * REASON_MALFORMED; REASON_PROTOCOL_ERROR. out->version is set as soon as it is known, else
 * MQTT_3_1_1. The will's topic must be a valid topic name (else REASON_MALFORMED), a will payload
 * with Payload Format 1 is UTF-8 (REASON_PAYLOAD_FORMAT_INVALID). An empty client id with
 * clean_start 0 under 3.1.1 is REASON_CLIENT_ID_NOT_VALID. [MQTT3-3.1.3-8] */
struct fault packet_connect_decode(const struct frame *frame, struct connect *out);

/* Only what names the client: version, level, client id (has_client_id: it was there), user name.
 * The body may be cut short or not valid: what comes before the fault is set, and nothing is
 * checked but the protocol's name: of another protocol than MQTT nothing follows. For moving a
 * connection to its worker before it is decoded, and for saying in the log who is refused. False
 * where not even the version is known. */
bool packet_connect_peek(struct slice body, struct connect *out);

/* Of a client. `properties.raw` and `will.properties.raw` are the blocks as they go out (5.0); what
 * was decoded (body, protocol, level, bridge) counts for nothing. A password without a user name is
 * for 5.0 only. [MQTT-3.1.2-1] [MQTT-3.1.3-1] */
void packet_connect_encode(struct buf *out, const struct connect *c);

#endif
