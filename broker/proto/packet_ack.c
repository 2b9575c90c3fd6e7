/* PUBACK, PUBREC, PUBREL, PUBCOMP: one decoder, one encoder.  Pure. */
#include "proto/packet_ack.h"

#include "base/require.h"
#include "proto/wire.h"

/* Reason code and properties may be left out, from the end. */
static struct fault read_outcome(struct reader *r, enum packet_type type, struct ack *out)
{
	uint8_t code;

	if (reader_left(r) == 0)
		return FAULT_NONE;
	code = read_u8(r);
	if (!reason_is_allowed(code, type))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code is not one of this packet type");
	out->reason = (enum reason)code;
	return reader_left(r) == 0 ? FAULT_NONE : properties_read(r, type, &out->properties);
}

struct fault packet_ack_decode(const struct frame *frame, enum mqtt_version version,
                               struct ack *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	*out = (struct ack){.reason = REASON_SUCCESS};
	out->packet_id = read_packet_id(&r);
	if (r.bad)
		return wire_packet_id_fault(frame, 0);
	if (!fault_is_none(fault = wire_check_flags(frame))) /* [MQTT-3.6.1-1] */
		return fault;
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

void packet_ack_encode(struct buf *out, enum mqtt_version version, enum packet_type type,
                       uint16_t packet_id, enum reason reason, struct slice reason_string)
{
	size_t start = out->len;

	REQUIRE(packet_id != 0);
	buf_put_u16(out, packet_id);
	if (version == MQTT_5_0)
		put_outcome(out, reason, reason_string);
	wire_close_packet(out, start, type);
}
