/* Properties: MQTT 5.0 section 2.2.2.  One table (properties.def: identifier, type, packets it may
 * stand in, may it repeat) is the source of decoding, checking and encoding.  Pure; slices borrow
 * from the packet. */
#ifndef PROTO_PROPERTY_H
#define PROTO_PROPERTY_H

#include "base/bytes.h"
#include "proto/fault.h"
#include "proto/frame.h"

/* Identifiers of the standard, table 2-4. */
enum property {
	PROPERTY_PAYLOAD_FORMAT = 0x01,
	PROPERTY_MESSAGE_EXPIRY = 0x02,
	PROPERTY_CONTENT_TYPE = 0x03,
	PROPERTY_RESPONSE_TOPIC = 0x08,
	PROPERTY_CORRELATION_DATA = 0x09,
	PROPERTY_SUBSCRIPTION_ID = 0x0b,
	PROPERTY_SESSION_EXPIRY = 0x11,
	PROPERTY_ASSIGNED_CLIENT_ID = 0x12,
	PROPERTY_SERVER_KEEP_ALIVE = 0x13,
	PROPERTY_AUTH_METHOD = 0x15,
	PROPERTY_AUTH_DATA = 0x16,
	PROPERTY_REQUEST_PROBLEM = 0x17,
	PROPERTY_WILL_DELAY = 0x18,
	PROPERTY_REQUEST_RESPONSE = 0x19,
	PROPERTY_RESPONSE_INFORMATION = 0x1a,
	PROPERTY_SERVER_REFERENCE = 0x1c,
	PROPERTY_REASON_STRING = 0x1f,
	PROPERTY_RECEIVE_MAXIMUM = 0x21,
	PROPERTY_TOPIC_ALIAS_MAXIMUM = 0x22,
	PROPERTY_TOPIC_ALIAS = 0x23,
	PROPERTY_MAXIMUM_QOS = 0x24,
	PROPERTY_RETAIN_AVAILABLE = 0x25,
	PROPERTY_USER = 0x26,
	PROPERTY_MAXIMUM_PACKET_SIZE = 0x27,
	PROPERTY_WILDCARD_AVAILABLE = 0x28,
	PROPERTY_SUBSCRIPTION_ID_AVAILABLE = 0x29,
	PROPERTY_SHARED_AVAILABLE = 0x2a,
};

/* Where a block of properties stands: a packet type, or the will of a CONNECT. */
#define PROPERTY_OWNER_WILL ((unsigned)0)

struct properties {
	uint64_t present; /* bit of each identifier that stood there */
	uint32_t message_expiry_s;
	uint32_t session_expiry_s;
	uint32_t will_delay_s;
	uint32_t max_packet_bytes;
	uint32_t subscription_id; /* SUBSCRIBE: the one; a server never receives it in PUBLISH */
	uint16_t receive_maximum;
	uint16_t topic_alias;
	uint16_t topic_alias_maximum;
	uint16_t server_keep_alive_s;
	uint8_t payload_format;
	uint8_t request_problem;
	uint8_t request_response;
	uint32_t user_count; /* User Properties in the block */
	struct slice content_type;
	struct slice response_topic;
	struct slice correlation_data;
	struct slice auth_method;
	struct slice auth_data;
	struct slice reason_string;
	struct slice raw; /* the whole block as it stood, without its length */
};

static inline bool properties_have(const struct properties *p, enum property id)
{
	return (p->present >> id & 1) != 0;
}

/* Read Property Length and the block. `owner`: the packet type, or PROPERTY_OWNER_WILL. Every
 * string is checked for UTF-8. REASON_MALFORMED for what cannot be parsed, and (2.2.2.2) for an
 * identifier that is unknown or not valid for this packet; REASON_PROTOCOL_ERROR for a duplicate, a
 * value out of range, and a Response Topic that is no topic name. A Topic Alias of 0 is left to
 * publish_decode. [MQTT5-2.2.2-1] */
struct fault properties_read(struct reader *r, unsigned owner, struct properties *out);

/* Append to `out` those of a PUBLISH or will block that go on to subscribers unchanged and in
 * order: payload format, content type, response topic, correlation data, user properties.
 * [MQTT5-3.3.2-4, -15, -16, -17, -18, -20] */
void properties_put_forwarded(struct buf *out, struct slice raw);

/* False where the Payload Format Indicator says UTF-8 and the payload (of a PUBLISH or will) is
 * not.
 */
bool properties_fit_payload(const struct properties *p, struct slice payload);

/* Single properties, identifier first; the caller adds up lengths or builds the block in a scratch
 * buffer. */
void property_put_u8(struct buf *out, enum property id, uint8_t v);
void property_put_u16(struct buf *out, enum property id, uint16_t v);
void property_put_u32(struct buf *out, enum property id, uint32_t v);
void property_put_varint(struct buf *out, enum property id, uint32_t v);
void property_put_string(struct buf *out, enum property id, struct slice s);

/* Walk the User Properties of a block: start with *at = raw; false at the end. */
bool properties_next_user(struct slice *at, struct slice *name, struct slice *value);

#endif
