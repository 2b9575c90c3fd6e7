/* PUBLISH (3.3).  Pure; slices borrow from the packet. */
#ifndef PROTO_PACKET_PUBLISH_H
#define PROTO_PACKET_PUBLISH_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

/* The QoS that its first byte says. */
static inline uint8_t packet_publish_qos(const struct frame *f)
{
	return (uint8_t)(f->flags >> 1) & 3;
}

/* Why a name with control characters or noncharacters is Malformed. One that would delete a
 * retained message is left to the caller, who knows whether there is one: a name in the store is no
 * reason to close anybody. */
#define PACKET_PUBLISH_CONTROL                                                                     \
	"the topic name contains a control character or a noncharacter of Unicode"

struct publish {
	bool dup;
	bool retain;
	uint8_t qos;
	uint16_t packet_id; /* 0 with QoS 0 */
	struct slice topic; /* may be empty in 5.0 with a topic alias */
	struct slice payload;
	struct properties properties; /* zeroed in 3.1.1 */
};

/* REASON_OK, REASON_MALFORMED (QoS 3, DUP with QoS 0, identifier 0, bad UTF-8, truncation,
 * wildcards), REASON_PROTOCOL_ERROR (properties; empty topic without alias; Subscription Identifier
 * from a client), REASON_TOPIC_ALIAS_INVALID (alias 0),
 * REASON_PAYLOAD_FORMAT_INVALID is not checked here (a caller may).  [MQTT-3.3.1-4] [MQTT-3.3.2-2]
 */
struct fault packet_publish_decode(const struct frame *frame, enum mqtt_version version,
                                   struct publish *out);

/* The same at a client: Subscription Identifiers are allowed (the member has the last, the raw
 * block all), and so are control characters, which servers forbid or not. */
struct fault packet_publish_decode_of_server(const struct frame *frame, enum mqtt_version version,
                                             struct publish *out);

/* `frame` is the beginning of a packet that is too large (FRAME_TOO_LARGE): cut it after the first
 * byte of its payload, so that it can be decoded. False: so much has not come yet. */
bool packet_publish_cut(struct frame *frame, enum mqtt_version version);

/* A PUBLISH to a subscriber. */
struct publish_out {
	enum mqtt_version version;
	bool dup;
	bool retain;
	uint8_t qos;
	bool has_expiry;
	uint16_t packet_id;
	uint16_t topic_alias; /* 0: none; topic may be empty with one that was announced */
	uint32_t expiry_s;    /* remaining */
	const uint32_t *subscription_ids;
	size_t subscription_id_count;
	struct slice topic;
	struct slice forwarded; /* block made by properties_put_forwarded */
	struct slice payload;
};

/* Size on the wire, whole packet: for the client's Maximum Packet Size. What is larger than
 * FRAME_SIZE_MAX has no encoding and must not be given to packet_publish_encode. */
size_t packet_publish_size(const struct publish_out *p);
/* Append the packet. Returns the offset of the packet identifier after the packet's first byte (0
 * with QoS 0), so that equal packets can be copied and patched. */
size_t packet_publish_encode(struct buf *out, const struct publish_out *p);

#endif
