/* PUBACK, PUBREC, PUBREL, PUBCOMP: one decoder, one encoder.  Pure. */
#include "proto/packet_ack.h"

#include "base/require.h"
#include "proto/wire.h"

struct fault packet_ack_decode(const struct frame *frame, enum mqtt_version version,
                               struct ack *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;
	uint8_t code;

	REQUIRE(frame->type >= PACKET_PUBACK && frame->type <= PACKET_PUBCOMP);
	*out = (struct ack){.reason = REASON_SUCCESS};
	out->packet_id = read_packet_id(&r);
	if (r.bad)
		return wire_packet_id_fault(frame, 0);
	if (!fault_is_none(fault = wire_check_flags(frame))) /* [MQTT-3.6.1-1] */
		return fault;
	/* Reason code and properties may be left out, from the end. */
	if (version == MQTT_5_0 && reader_left(&r) > 0) {
		code = read_u8(&r);
		if (!reason_is_allowed(code, frame->type))
			return fault_of(REASON_PROTOCOL_ERROR,
			                "the reason code is not one of this packet type");
		out->reason = (enum reason)code;
		if (reader_left(&r) > 0 &&
		    !fault_is_none(fault = properties_read(&r, frame->type, &out->properties)))
			return fault;
	}
	return wire_check_end(&r);
}

/* [MQTT5-3.4.2-3] [MQTT5-3.5.2-3] */
void packet_ack_encode(struct buf *out, enum mqtt_version version, enum packet_type type,
                       uint16_t packet_id, enum reason reason, struct slice reason_string)
{
	size_t start = out->len, block;

	REQUIRE(packet_id != 0);
	REQUIRE(type >= PACKET_PUBACK && type <= PACKET_PUBCOMP);
	buf_put_u16(out, packet_id);
	if (version == MQTT_5_0 && (reason != REASON_SUCCESS || reason_string.len > 0)) {
		buf_put_u8(out, (uint8_t)reason);
		block = out->len;
		property_put_string_if_any(out, PROPERTY_REASON_STRING, reason_string);
		if (out->len > block)
			wire_close_properties(out, block);
	}
	wire_close_packet(out, start, type);
}
