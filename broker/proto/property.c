/* Properties of 5.0: one reader driven by one table.  Pure. */
#include "proto/property.h"

#include "base/array.h"
#include "base/require.h"
#include "proto/topic.h"
#include "proto/wire.h"

enum type {
	UNKNOWN, /* no such identifier */
	BYTE,
	TWO,
	FOUR,
	VARINT,
	STRING,
	TOPIC,
	BINARY,
	PAIR,
};

struct property_row {
	uint32_t min, max;
	/* Bits of packet types; that of PROPERTY_OWNER_WILL is the will. */
	uint16_t owners, repeats;
	uint16_t member; /* offset in struct properties */
	uint8_t type;
	bool forwarded;
};

#define FORWARDED     true
#define NOT_FORWARDED false
#define NOWHERE       0
#define IN_WILL       (1u << PROPERTY_OWNER_WILL)
#define IN_CONNECT    (1u << PACKET_CONNECT)
#define IN_CONNACK    (1u << PACKET_CONNACK)
#define IN_PUBLISH    (1u << PACKET_PUBLISH)
#define IN_SUBSCRIBE  (1u << PACKET_SUBSCRIBE)
#define IN_DISCONNECT (1u << PACKET_DISCONNECT)
#define IN_AUTH       (1u << PACKET_AUTH)
#define IN_ANY_ACK                                                                                 \
	(1u << PACKET_PUBACK | 1u << PACKET_PUBREC | 1u << PACKET_PUBREL | 1u << PACKET_PUBCOMP |  \
	 1u << PACKET_SUBACK | 1u << PACKET_UNSUBACK)
#define EVERYWHERE                                                                                 \
	(IN_WILL | IN_CONNECT | IN_CONNACK | IN_PUBLISH | IN_SUBSCRIBE |                           \
	 1u << PACKET_UNSUBSCRIBE | IN_DISCONNECT | IN_AUTH | IN_ANY_ACK)

static const struct property_row rows[] = {
#define PROPERTY(id, number, its_type, its_owners, its_repeats, its_min, its_max, its_forwarded,   \
                 its_member, name)                                                                 \
	[number] = {.type = (its_type),                                                            \
	            .owners = (its_owners),                                                        \
	            .repeats = (its_repeats),                                                      \
	            .min = (its_min),                                                              \
	            .max = (its_max),                                                              \
	            .forwarded = (its_forwarded),                                                  \
	            .member = offsetof(struct properties, its_member)},
#include "proto/properties.def"
#undef PROPERTY
};
#define ROW_COUNT ARRAY_LEN(rows)

/* What can be wrong with each of them, in words. */
static const struct texts {
	const char *misplaced, *again, *range, *broken, *control;
} texts[ROW_COUNT] = {
#define PROPERTY(id, number, type, owners, repeats, min, max, forwarded, member, name)             \
	[number] = {.misplaced = "the property " name " is not allowed in this packet",            \
	            .again = "the property " name " occurs more than once",                        \
	            .range = "the value of the property " name " is not allowed",                  \
	            .broken = "the property " name " is cut short, or its text is not UTF-8",      \
	            .control = "the property " name " contains a control character or a "          \
	                       "noncharacter of Unicode"},
#include "proto/properties.def"
#undef PROPERTY
};

_Static_assert(ROW_COUNT <= 64, "`present` has a bit for each identifier");

/* The row of the property that begins here; NULL where there is no such property. */
static const struct property_row *read_row(struct reader *r, uint32_t *id)
{
	*id = read_varint(r);
	if (r->bad || *id >= ROW_COUNT || rows[*id].type == UNKNOWN)
		return NULL;
	return &rows[*id];
}

static void *member_of(struct properties *p, const struct property_row *row)
{
	return (uint8_t *)p + row->member;
}

static uint32_t read_number(struct reader *r, const struct property_row *row)
{
	if (row->type == BYTE)
		return read_u8(r);
	if (row->type == TWO)
		return read_u16(r);
	return row->type == FOUR ? read_u32(r) : read_varint(r);
}

static struct fault take_number(struct reader *r, uint32_t id, struct properties *out)
{
	const struct property_row *row = &rows[id];
	uint32_t v = read_number(r, row);

	if (r->bad)
		return fault_of(REASON_MALFORMED, texts[id].broken);
	if (v < row->min || v > row->max)
		return fault_of(REASON_PROTOCOL_ERROR, texts[id].range);
	if (row->type == BYTE)
		*(uint8_t *)member_of(out, row) = (uint8_t)v;
	else if (row->type == TWO)
		*(uint16_t *)member_of(out, row) = (uint16_t)v;
	else
		*(uint32_t *)member_of(out, row) = v;
	return FAULT_NONE;
}

/* [MQTT5-3.3.2-13, -14, -19] */
static struct fault take_bytes(struct reader *r, uint32_t id, struct properties *out)
{
	const struct property_row *row = &rows[id];
	struct slice s = row->type == BINARY ? read_string(r) : read_utf8(r);

	if (r->bad)
		return fault_of(REASON_MALFORMED, texts[id].broken);
	/* mutant: control_characters_in_response_topic */
	if (row->type == TOPIC && !utf8_is_name(s))
		return fault_of(REASON_MALFORMED, texts[id].control);
	if (row->type == TOPIC && !topic_name_valid(s))
		return fault_of(REASON_PROTOCOL_ERROR, texts[id].range);
	*(struct slice *)member_of(out, row) = s;
	return FAULT_NONE;
}

static struct fault take_pair(struct reader *r, uint32_t id, struct properties *out)
{
	read_utf8(r); /* [MQTT5-1.5.7-1] */
	read_utf8(r);
	if (r->bad)
		return fault_of(REASON_MALFORMED, texts[id].broken);
	out->user_count++;
	return FAULT_NONE;
}

static struct fault take_property(struct reader *r, unsigned owner, struct properties *out)
{
	uint32_t id;
	const struct property_row *row = read_row(r, &id);

	if (row == NULL)
		return fault_of(REASON_MALFORMED, "there is a property of an unknown identifier");
	if ((row->owners >> owner & 1) == 0)
		return fault_of(REASON_MALFORMED, texts[id].misplaced);
	if (properties_have(out, (enum property)id) && (row->repeats >> owner & 1) == 0)
		return fault_of(REASON_PROTOCOL_ERROR, texts[id].again);
	out->present |= UINT64_C(1) << id;
	if (row->type <= VARINT)
		return take_number(r, id, out);
	return row->type == PAIR ? take_pair(r, id, out) : take_bytes(r, id, out);
}

struct fault properties_read(struct reader *r, unsigned owner, struct properties *out)
{
	struct reader block;
	struct fault fault;

	REQUIRE(owner < 16);
	*out = (struct properties){0};
	out->raw = read_bytes(r, read_varint(r));
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the properties are longer than the packet");
	block = reader_of(out->raw);
	while (reader_left(&block) > 0) {
		if (!fault_is_none(fault = take_property(&block, owner, out)))
			return fault;
	}
	return FAULT_NONE;
}

static void skip_value(struct reader *r, const struct property_row *row)
{
	if (row->type <= VARINT) {
		read_number(r, row);
		return;
	}
	read_string(r);
	if (row->type == PAIR)
		read_string(r);
}

/* [MQTT5-3.3.2-4, -15, -16, -17, -18, -20] [MQTT5-3.1.3-10] */
void properties_put_forwarded(struct buf *out, struct slice raw)
{
	struct reader r = reader_of(raw);

	while (reader_left(&r) > 0) {
		const uint8_t *start = r.at;
		uint32_t id;
		const struct property_row *row = read_row(&r, &id);

		if (row == NULL)
			return;
		skip_value(&r, row);
		if (r.bad)
			return;
		if (row->forwarded)
			buf_put(out, start, (size_t)(r.at - start));
	}
}

bool properties_next_user(struct slice *at, struct slice *name, struct slice *value)
{
	struct reader r = reader_of(*at);

	while (reader_left(&r) > 0) {
		uint32_t id;
		const struct property_row *row = read_row(&r, &id);

		if (row == NULL)
			break;
		if (row->type != PAIR) {
			skip_value(&r, row);
			continue;
		}
		*name = read_string(&r);
		*value = read_string(&r);
		*at = slice_of(r.at, reader_left(&r));
		return !r.bad;
	}
	*at = SLICE_EMPTY;
	return false;
}

/* The payload is character data, no UTF-8 Encoded String: U+0000 is permitted in it. */
bool properties_fit_payload(const struct properties *p, struct slice payload)
{
	if (p->payload_format == 0 || utf8_valid(payload))
		return true;
	while (payload.len > 0) {
		uint32_t code_point;
		size_t len = utf8_decode(payload, &code_point);

		if (len == 0)
			return false;
		payload = slice_skip(payload, len);
	}
	return true;
}

void property_put_number(struct buf *out, enum property id, uint32_t v)
{
	uint8_t type = rows[id].type;

	REQUIRE(type >= BYTE && type <= VARINT);
	buf_put_u8(out, (uint8_t)id);
	if (type == BYTE)
		buf_put_u8(out, (uint8_t)v);
	else if (type == TWO)
		buf_put_u16(out, (uint16_t)v);
	else if (type == FOUR)
		buf_put_u32(out, v);
	else
		buf_put_varint(out, v);
}

size_t property_number_size(enum property id, uint32_t v)
{
	static const uint8_t sizes[] = {[BYTE] = 1, [TWO] = 2, [FOUR] = 4};
	uint8_t type = rows[id].type;

	return 1 + (type == VARINT ? varint_size(v) : sizes[type]);
}

void property_put_string(struct buf *out, enum property id, struct slice s)
{
	REQUIRE(rows[id].type >= STRING); /* of a pair, its name */
	buf_put_u8(out, (uint8_t)id);
	buf_put_string(out, s);
}

void property_put_string_if_any(struct buf *out, enum property id, struct slice s)
{
	if (s.len > 0)
		property_put_string(out, id, s);
}
