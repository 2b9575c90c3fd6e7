/* PUBACK, PUBREC, PUBREL, PUBCOMP: one decoder, one encoder.  Pure. */
#include "proto/packet_ack.h"

#include "base/require.h"
#include "proto/wire.h"

static uint8_t flags_of(enum packet_type type)
{
	return type == PACKET_PUBREL ? 2 : 0; /* [MQTT-3.6.1-1] */
}

/* [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] 0x10 comes from servers only; a bridge will hear it. */
static bool is_publish_reason(uint8_t code)
{
	static const bool allowed[256] = {
	    [REASON_SUCCESS] = true,
	    [REASON_NO_MATCHING_SUBSCRIBERS] = true,
	    [REASON_UNSPECIFIED] = true,
	    [REASON_IMPLEMENTATION_SPECIFIC] = true,
	    [REASON_NOT_AUTHORIZED] = true,
	    [REASON_TOPIC_NAME_INVALID] = true,
	    [REASON_PACKET_ID_IN_USE] = true,
	    [REASON_QUOTA_EXCEEDED] = true,
	    [REASON_PAYLOAD_FORMAT_INVALID] = true,
	};

	return allowed[code];
}

static bool is_reason_of(enum packet_type type, uint8_t code)
{
	if (type == PACKET_PUBACK || type == PACKET_PUBREC)
		return is_publish_reason(code);
	/* [MQTT5-3.6.2-1] [MQTT5-3.7.2-1] */
	return code == REASON_SUCCESS || code == REASON_PACKET_ID_NOT_FOUND;
}

/* Reason code and properties may be left out, from the end. */
static struct fault read_outcome(struct reader *r, enum packet_type type, struct ack *out)
{
	uint8_t code;

	if (reader_left(r) == 0)
		return FAULT_NONE;
	code = read_u8(r);
	if (!is_reason_of(type, code))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code is not one of this packet type");
	out->reason = (enum reason)code;
	return reader_left(r) == 0 ? FAULT_NONE : properties_read(r, type, &out->properties);
}

struct fault ack_decode(const struct frame *frame, enum mqtt_version version, struct ack *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	*out = (struct ack){.reason = REASON_SUCCESS};
	out->packet_id = read_packet_id(&r);
	if (r.bad)
		return wire_packet_id_fault(frame, 0);
	if (frame->flags != flags_of(frame->type))
		return fault_of(REASON_MALFORMED, WIRE_BAD_FLAGS);
	if (version == MQTT_5_0 && !fault_is_none(fault = read_outcome(&r, frame->type, out)))
		return fault;
	return wire_check_end(&r);
}

/* [MQTT5-3.4.2-3] [MQTT5-3.5.2-3] */
static void put_outcome(struct buf *out, enum reason reason, struct slice reason_string)
{
	size_t start;

	if (reason == REASON_SUCCESS && reason_string.len == 0)
		return;
	buf_put_u8(out, (uint8_t)reason);
	if (reason_string.len == 0)
		return;
	start = out->len;
	property_put_string(out, PROPERTY_REASON_STRING, reason_string);
	wire_close_properties(out, start);
}

void ack_encode(struct buf *out, enum mqtt_version version, enum packet_type type,
                uint16_t packet_id, enum reason reason, struct slice reason_string)
{
	size_t start = out->len;

	REQUIRE(packet_id != 0);
	buf_put_u16(out, packet_id);
	if (version == MQTT_5_0)
		put_outcome(out, reason, reason_string);
	wire_close_packet(out, start, type, flags_of(type));
}
