/* SUBACK and UNSUBACK both ways.  Pure. */
#include "proto/packet_suback.h"

#include "base/require.h"
#include "proto/wire.h"

/* Packet identifier and, in 5.0, properties: what both acknowledgements begin with. [MQTT-3.8.4-2]
 * [MQTT3-2.3.1-7] [MQTT5-2.2.1-6] [MQTT5-3.9.2-2] [MQTT5-3.11.2-1, -2] */
static void put_head(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                     struct slice reason_string)
{
	size_t start;

	REQUIRE(packet_id != 0);
	buf_put_u16(out, packet_id);
	if (version != MQTT_5_0)
		return;
	start = out->len;
	if (reason_string.len > 0)
		property_put_string(out, PROPERTY_REASON_STRING, reason_string);
	wire_close_properties(out, start);
}

void packet_suback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                          const uint8_t *reasons, size_t count, struct slice reason_string)
{
	size_t start = out->len;

	REQUIRE(count > 0);
	put_head(out, version, packet_id, reason_string);
	for (size_t i = 0; i < count; i++) { /* [MQTT-3.9.3-1] */
		bool refused = reasons[i] >= REASON_UNSPECIFIED;

		/* [MQTT3-3.9.3-2] */
		buf_put_u8(out, refused && version == MQTT_3_1_1 ? REASON_UNSPECIFIED : reasons[i]);
	}
	wire_close_packet(out, start, PACKET_SUBACK);
}

void packet_unsuback_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                            const uint8_t *reasons, size_t count, struct slice reason_string)
{
	size_t start = out->len;

	REQUIRE(count > 0);
	put_head(out, version, packet_id, reason_string);
	if (version == MQTT_5_0)
		buf_put(out, reasons, count); /* [MQTT5-3.11.3-1] */
	wire_close_packet(out, start, PACKET_UNSUBACK);
}

/* [MQTT3-3.9.3-2] */
static bool codes_are_known(struct slice codes, enum packet_type type)
{
	for (size_t i = 0; i < codes.len; i++) {
		uint8_t code = codes.data[i];
		bool known = code >= REASON_UNSPECIFIED || code == REASON_SUCCESS;

		if (type == PACKET_SUBACK)
			known = known || code <= REASON_GRANTED_QOS_2;
		else
			known = known || code == REASON_NO_SUBSCRIPTION_EXISTED;
		if (!known)
			return false;
	}
	return true;
}

struct fault packet_suback_decode(const struct frame *frame, enum mqtt_version version,
                                  struct suback *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	REQUIRE(frame->type == PACKET_SUBACK || frame->type == PACKET_UNSUBACK);
	*out = (struct suback){.packet_id = read_packet_id(&r)};
	if (r.bad)
		return wire_packet_id_fault(frame, 0);
	if (!fault_is_none(fault = wire_check_flags(frame)))
		return fault;
	if (version == MQTT_5_0 &&
	    !fault_is_none(fault = properties_read(&r, frame->type, &out->properties)))
		return fault;
	if (version == MQTT_5_0 || frame->type == PACKET_SUBACK) {
		out->reasons = read_rest(&r);
		if (out->reasons.len == 0)
			return fault_of(REASON_MALFORMED, "there is no reason code");
	}
	if (!codes_are_known(out->reasons, frame->type))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code is not one of this packet type");
	return wire_check_end(&r);
}
