/* DISCONNECT both ways.  Pure. */
#include "proto/packet_disconnect.h"

#include "proto/wire.h"

/* [MQTT5-3.14.2-1] */
static struct fault check_code(uint8_t code, bool of_server)
{
	if (of_server && (code >= REASON_UNSPECIFIED || code == REASON_SUCCESS))
		return FAULT_NONE;
	if (of_server)
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code is not one that a server may send");
	return reason_is_allowed(code, PACKET_DISCONNECT)
	           ? FAULT_NONE
	           : fault_of(REASON_PROTOCOL_ERROR,
	                      "the reason code is not one that a client may send");
}

static struct fault decode(const struct frame *frame, enum mqtt_version version, bool of_server,
                           struct disconnect *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;
	uint8_t code;

	*out = (struct disconnect){.reason = REASON_SUCCESS};
	if (!fault_is_none(fault = wire_check_flags(frame))) /* [MQTT-3.14.1-1] */
		return fault;
	/* Reason code and properties may be left out, from the end. */
	if (version == MQTT_5_0 && reader_left(&r) > 0) {
		code = read_u8(&r);
		if (!fault_is_none(fault = check_code(code, of_server)))
			return fault;
		out->reason = (enum reason)code;
		if (reader_left(&r) > 0 &&
		    !fault_is_none(fault =
		                       properties_read(&r, PACKET_DISCONNECT, &out->properties)))
			return fault;
	}
	return wire_check_end(&r);
}

struct fault packet_disconnect_decode(const struct frame *frame, enum mqtt_version version,
                                      struct disconnect *out)
{
	return decode(frame, version, false, out);
}

struct fault packet_disconnect_decode_of_server(const struct frame *frame, struct disconnect *out)
{
	return decode(frame, MQTT_5_0, true, out);
}

/* [MQTT5-3.14.2-2, -4] */
void packet_disconnect_encode(struct buf *out, enum reason reason, struct slice reason_string,
                              struct slice server_reference)
{
	size_t start = out->len;
	bool has_properties = reason_string.len > 0 || server_reference.len > 0;
	size_t block;

	if (reason != REASON_SUCCESS || has_properties)
		buf_put_u8(out, (uint8_t)reason);
	if (has_properties) {
		block = out->len;
		property_put_string_if_any(out, PROPERTY_REASON_STRING, reason_string);
		property_put_string_if_any(out, PROPERTY_SERVER_REFERENCE, server_reference);
		wire_close_properties(out, block);
	}
	wire_close_packet(out, start, PACKET_DISCONNECT);
}

void packet_disconnect_encode_of_client(struct buf *out, enum mqtt_version version,
                                        enum reason reason)
{
	packet_disconnect_encode(out, version == MQTT_5_0 ? reason : REASON_SUCCESS, SLICE_EMPTY,
	                         SLICE_EMPTY);
}
