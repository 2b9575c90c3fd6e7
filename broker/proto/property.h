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
#define PROPERTY(id, number, type, owners, repeats, min, max, forwarded, member, name)             \
	PROPERTY_##id = (number),
#include "proto/properties.def"
#undef PROPERTY
};

/* Where a block of properties stands: a packet type, or the will of a CONNECT. */
#define PROPERTY_OWNER_WILL ((unsigned)0)

/* What C makes of the types of the table. */
#define PROPERTY_BYTE   uint8_t
#define PROPERTY_TWO    uint16_t
#define PROPERTY_FOUR   uint32_t
#define PROPERTY_VARINT uint32_t
#define PROPERTY_STRING struct slice
#define PROPERTY_TOPIC  struct slice
#define PROPERTY_BINARY struct slice
#define PROPERTY_PAIR   uint32_t

struct properties {
	uint64_t present; /* bit of each identifier that stood there */
	struct slice raw; /* the whole block as it stood, without its length */
#define PROPERTY(id, number, type, owners, repeats, min, max, forwarded, member, name)             \
	PROPERTY_##type member;
#include "proto/properties.def"
#undef PROPERTY
};

static inline bool properties_have(const struct properties *p, enum property id)
{
	return (p->present >> id & 1) != 0;
}

/* Read Property Length and the block. `owner`: the packet type, or PROPERTY_OWNER_WILL. Every
 * string is checked for UTF-8. REASON_MALFORMED for what cannot be parsed, and (2.2.2.2) for an
 * identifier that is unknown or not valid for this packet, and for a Response Topic with control
 * characters or noncharacters; REASON_PROTOCOL_ERROR for a duplicate, a value out of range, and a
 * Response Topic that is no topic name. A Topic Alias of 0 is left to
 * packet_publish_decode. [MQTT5-2.2.2-1] */
struct fault properties_read(struct reader *r, unsigned owner, struct properties *out);

/* Append to `out` those of a PUBLISH or will block that go on to subscribers unchanged and in
 * order: payload format, content type, response topic, correlation data, user properties.
 * [MQTT5-3.3.2-4, -15, -16, -17, -18, -20] */
void properties_put_forwarded(struct buf *out, struct slice raw);

/* False where the Payload Format Indicator says UTF-8 and the payload (of a PUBLISH or will) is
 * not.
 */
bool properties_fit_payload(const struct properties *p, struct slice payload);

/* Single properties, identifier first; the caller adds up sizes or builds the block in a scratch
 * buffer. The table says how the number is written. */
void property_put_number(struct buf *out, enum property id, uint32_t v);
size_t property_number_size(enum property id, uint32_t v);
void property_put_string(struct buf *out, enum property id, struct slice s);
void property_put_string_if_any(struct buf *out, enum property id, struct slice s);

/* Walk the User Properties of a block: start with *at = raw; false at the end. */
bool properties_next_user(struct slice *at, struct slice *name, struct slice *value);

#endif
