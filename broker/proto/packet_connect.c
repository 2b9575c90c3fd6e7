/* CONNECT both ways.  Pure. */
#include "proto/packet_connect.h"

#include "base/require.h"
#include "proto/topic.h"
#include "proto/wire.h"

enum connect_flag {
	FLAG_RESERVED = 0x01,
	FLAG_CLEAN_START = 0x02,
	FLAG_WILL = 0x04,
	FLAG_WILL_QOS = 0x18,
	FLAG_WILL_RETAIN = 0x20,
	FLAG_PASSWORD = 0x40,
	FLAG_USER_NAME = 0x80,
};

#define UNSUPPORTED_VERSION "the broker speaks MQTT 3.1.1 and 5.0, and the client another protocol"

#define BRIDGE_BIT 0x80 /* mosquitto's bridges: 0x83, 0x84 */

/* Protocol name and level. [MQTT-3.1.2-1] [MQTT-3.1.2-2] Some bridges set the top bit of the level:
 * the rest of it says which CONNACK they understand; one with 3.1.1 is taken. That of another
 * protocol is the form that the level would have in MQTT: its owner learns more from a return code
 * than from a connection that is closed. */
static struct fault read_protocol(struct reader *r, struct connect *out)
{
	struct slice name = read_string(r);
	uint8_t level = read_u8(r);
	uint8_t plain_level = level & (uint8_t)~BRIDGE_BIT;

	out->version = MQTT_3_1_1;
	out->level = r->bad ? 0 : level;
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the protocol name is cut short");
	if (name.len == 0 || !utf8_is_name(name))
		return fault_of(REASON_MALFORMED, "the protocol name is empty or no text");
	out->protocol = name;
	if (plain_level >= MQTT_5_0)
		out->version = MQTT_5_0;
	/* mutant: another_protocol */
	if (!slice_equal(name, SLICE("MQTT")))
		return fault_of(REASON_UNSUPPORTED_VERSION, UNSUPPORTED_VERSION);
	out->bridge = level == (MQTT_3_1_1 | BRIDGE_BIT);
	return out->bridge || level == MQTT_3_1_1 || level == MQTT_5_0
	           ? FAULT_NONE
	           : fault_of(REASON_UNSUPPORTED_VERSION, UNSUPPORTED_VERSION);
}

static struct fault check_flags(uint8_t flags, enum mqtt_version version)
{
	const char *cause = NULL;

	if ((flags & FLAG_RESERVED) != 0) /* [MQTT-3.1.2-3] */
		cause = "the reserved connect flag is set";
	else if ((flags & FLAG_WILL_QOS) == FLAG_WILL_QOS) /* [MQTT3-3.1.2-14] [MQTT5-3.1.2-12] */
		cause = "the will's QoS is 3";
	else if ((flags & FLAG_WILL) == 0 && (flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN)) != 0)
		/* [MQTT3-3.1.2-11, -13, -15] [MQTT5-3.1.2-11, -13] */
		cause = "the will's QoS or retain is set, and there is no will";
	else if (version != MQTT_5_0 && (flags & FLAG_PASSWORD) != 0 &&
	         (flags & FLAG_USER_NAME) == 0)
		/* [MQTT3-3.1.2-22]; 5.0 permits a password alone. */
		cause = "there is a password without a user name";
	return cause == NULL ? FAULT_NONE : fault_of(REASON_MALFORMED, cause);
}

static struct fault read_connect_properties(struct reader *r, struct properties *out)
{
	struct fault fault = properties_read(r, PACKET_CONNECT, out);

	if (!fault_is_none(fault))
		return fault;
	if (properties_have(out, PROPERTY_AUTH_DATA) && !properties_have(out, PROPERTY_AUTH_METHOD))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "there is Authentication Data without an Authentication Method");
	return FAULT_NONE;
}

/* [MQTT-3.1.2-9] */
static struct fault read_will(struct reader *r, uint8_t flags, struct connect *out)
{
	struct will *will = &out->will;
	struct fault fault;

	will->present = true;
	will->retain = (flags & FLAG_WILL_RETAIN) != 0;
	will->qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);
	if (out->version == MQTT_5_0) {
		fault = properties_read(r, PROPERTY_OWNER_WILL, &will->properties);
		if (!fault_is_none(fault))
			return fault;
	}
	will->topic = read_utf8(r); /* [MQTT3-3.1.3-10] [MQTT5-3.1.3-11] */
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the will's topic is cut short or not UTF-8");
	will->payload = read_string(r);
	return r->bad ? fault_of(REASON_MALFORMED, "the will's payload is cut short") : FAULT_NONE;
}

/* Client Identifier, will, User Name, Password: in this order. [MQTT-3.1.3-1] */
static struct fault read_payload(struct reader *r, uint8_t flags, struct connect *out)
{
	struct fault fault;

	out->client_id = read_utf8(r); /* [MQTT-3.1.3-3] [MQTT-3.1.3-4] */
	if (r->bad)
		return fault_of(REASON_MALFORMED,
		                "the client identifier is cut short or not UTF-8");
	if ((flags & FLAG_WILL) != 0 && !fault_is_none(fault = read_will(r, flags, out)))
		return fault;
	if (out->has_user_name)                /* [MQTT3-3.1.2-18, -19] [MQTT5-3.1.2-16, -17] */
		out->user_name = read_utf8(r); /* [MQTT3-3.1.3-11] [MQTT5-3.1.3-12] */
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the user name is cut short or not UTF-8");
	if (out->has_password) /* [MQTT3-3.1.2-20, -21] [MQTT5-3.1.2-18, -19] */
		out->password = read_string(r);
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the password is cut short");
	return wire_check_end(r);
}

/* What was read well may still be refused. */
static struct fault check_fields(const struct connect *c)
{
	if (c->client_id.len == 0 && c->version == MQTT_3_1_1 && !c->clean_start)
		return fault_of(REASON_CLIENT_ID_NOT_VALID, /* [MQTT3-3.1.3-7, -8] */
		                "the client identifier is empty, and Clean Session is 0");
	if (!c->will.present)
		return FAULT_NONE;
	/* mutant: control_characters_in_will_topics */
	if (!utf8_is_name(c->will.topic))
		return fault_of(REASON_MALFORMED, "the will's topic contains a control character "
		                                  "or a noncharacter of Unicode");
	if (!topic_name_valid(c->will.topic)) /* 0x90 is for names that are not malformed */
		return fault_of(REASON_MALFORMED,
		                "the will's topic is empty or contains a wildcard");
	if (!properties_fit_payload(&c->will.properties, c->will.payload))
		return fault_of(REASON_PAYLOAD_FORMAT_INVALID,
		                "the will's payload is not the UTF-8 that it says it is");
	return FAULT_NONE;
}

/* [MQTT-3.1.4-1] */
struct fault packet_connect_decode(const struct frame *frame, struct connect *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;
	uint8_t flags;

	*out = (struct connect){.body = frame->body};
	if (!fault_is_none(fault = read_protocol(&r, out)))
		return fault;
	flags = read_u8(&r);
	out->keep_alive_s = read_u16(&r);
	if (frame->padded && out->version == MQTT_5_0) /* [MQTT5-1.5.5-1] */
		return fault_of(REASON_MALFORMED,
		                "the Remaining Length is not in its shortest form");
	if (r.bad)
		return fault_of(REASON_MALFORMED,
		                "the connect flags or the keep alive are missing");
	if (!fault_is_none(fault =
	                       wire_check_flags(frame)) || /* [MQTT3-2.2.2-1, -2] [MQTT5-2.1.3-1] */
	    !fault_is_none(fault = check_flags(flags, out->version)))
		return fault;
	out->clean_start = (flags & FLAG_CLEAN_START) != 0;
	out->has_user_name = (flags & FLAG_USER_NAME) != 0;
	out->has_password = (flags & FLAG_PASSWORD) != 0;
	if (out->version == MQTT_5_0 &&
	    !fault_is_none(fault = read_connect_properties(&r, &out->properties)))
		return fault;
	if (!fault_is_none(fault = read_payload(&r, flags, out)))
		return fault;
	return check_fields(out);
}

/* Of this version or of another one: MQTT 3.1 has its fields in the same places. */
static bool is_mqtt(struct slice protocol)
{
	return slice_equal(protocol, SLICE("MQTT")) || slice_equal(protocol, SLICE("MQIsdp"));
}

bool packet_connect_peek(struct slice body, struct connect *out)
{
	struct reader r = reader_of(body);
	struct slice text;
	struct fault fault;
	uint8_t flags;

	*out = (struct connect){.body = body};
	fault = read_protocol(&r, out);
	if (!fault_is_none(fault) && fault.reason != REASON_UNSUPPORTED_VERSION)
		return false;
	if (!is_mqtt(out->protocol)) /* what follows may be anything, a password too */
		return true;
	flags = read_u8(&r);
	read_bytes(&r, 2); /* keep alive */
	if (out->version == MQTT_5_0)
		read_bytes(&r, read_varint(&r));
	text = read_string(&r);
	if (!r.bad)
		out->client_id = text;
	out->has_client_id = !r.bad;
	if ((flags & FLAG_WILL) != 0) {
		if (out->version == MQTT_5_0)
			read_bytes(&r, read_varint(&r));
		(void)read_string(&r);
		(void)read_string(&r);
	}
	if ((flags & FLAG_USER_NAME) == 0)
		return true;
	text = read_string(&r);
	if (!r.bad)
		out->user_name = text;
	return true;
}

static uint8_t flags_of(const struct connect *c)
{
	unsigned flags = c->clean_start ? FLAG_CLEAN_START : 0;

	if (c->will.present)
		flags |= FLAG_WILL | (unsigned)c->will.qos << 3 |
		         (c->will.retain ? FLAG_WILL_RETAIN : 0);
	if (c->has_user_name)
		flags |= FLAG_USER_NAME;
	if (c->has_password)
		flags |= FLAG_PASSWORD;
	return (uint8_t)flags;
}

static void put_block(struct buf *out, enum mqtt_version version, struct slice block)
{
	if (version != MQTT_5_0)
		return;
	buf_put_varint(out, (uint32_t)block.len);
	buf_put_slice(out, block);
}

void packet_connect_encode(struct buf *out, const struct connect *c)
{
	size_t start = out->len;

	REQUIRE(c->version == MQTT_5_0 || c->has_user_name || !c->has_password);
	buf_put_string(out, SLICE("MQTT"));
	buf_put_u8(out, (uint8_t)c->version);
	buf_put_u8(out, flags_of(c));
	buf_put_u16(out, c->keep_alive_s);
	put_block(out, c->version, c->properties.raw);
	buf_put_string(out, c->client_id);
	if (c->will.present) {
		put_block(out, c->version, c->will.properties.raw);
		buf_put_string(out, c->will.topic);
		buf_put_string(out, c->will.payload);
	}
	if (c->has_user_name)
		buf_put_string(out, c->user_name);
	if (c->has_password)
		buf_put_string(out, c->password);
	wire_close_packet(out, start, PACKET_CONNECT);
}
