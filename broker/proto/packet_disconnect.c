/* PINGREQ, DISCONNECT, AUTH from the wire, and their kin to it.  Pure. */
#include "proto/packet_disconnect.h"

#include "proto/wire.h"

struct fault pingreq_decode(const struct frame *frame)
{
	struct reader r = reader_of(frame->body);
	struct fault fault = wire_check_flags(frame);

	return fault_is_none(fault) ? wire_check_end(&r) : fault;
}

void pingresp_encode(struct buf *out)
{
	frame_put_header(out, PACKET_PINGRESP, 0, 0); /* [MQTT-3.12.4-1] */
}

/* Reason code and properties may be left out, from the end. */
static struct fault read_disconnect(struct reader *r, struct disconnect *out)
{
	uint8_t code;

	if (reader_left(r) == 0)
		return FAULT_NONE;
	code = read_u8(r);
	if (!reason_is_allowed(code, PACKET_DISCONNECT))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code is not one that a client may send");
	out->reason = (enum reason)code;
	return reader_left(r) == 0 ? FAULT_NONE
	                           : properties_read(r, PACKET_DISCONNECT, &out->properties);
}

struct fault disconnect_decode(const struct frame *frame, enum mqtt_version version,
                               struct disconnect *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	*out = (struct disconnect){.reason = REASON_SUCCESS};
	if (!fault_is_none(fault = wire_check_flags(frame))) /* [MQTT-3.14.1-1] */
		return fault;
	if (version == MQTT_5_0 && !fault_is_none(fault = read_disconnect(&r, out)))
		return fault;
	return wire_check_end(&r);
}

static void put_string_if_any(struct buf *out, enum property id, struct slice s)
{
	if (s.len > 0)
		property_put_string(out, id, s);
}

/* [MQTT5-3.14.2-2, -4] */
void disconnect_encode(struct buf *out, enum reason reason, struct slice reason_string,
                       struct slice server_reference)
{
	size_t start = out->len;
	bool has_properties = reason_string.len > 0 || server_reference.len > 0;
	size_t block;

	if (reason != REASON_SUCCESS || has_properties)
		buf_put_u8(out, (uint8_t)reason);
	if (has_properties) {
		block = out->len;
		put_string_if_any(out, PROPERTY_REASON_STRING, reason_string);
		put_string_if_any(out, PROPERTY_SERVER_REFERENCE, server_reference);
		wire_close_properties(out, block);
	}
	wire_close_packet(out, start, PACKET_DISCONNECT);
}

/* An empty body is Success without properties (3.15.2.1); every other must name its method
 * (3.15.2.2.2). */
struct fault auth_decode(const struct frame *frame, struct auth *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;
	uint8_t code;

	*out = (struct auth){.reason = REASON_SUCCESS};
	if (!fault_is_none(fault = wire_check_flags(frame))) /* [MQTT5-3.15.1-1] */
		return fault;
	if (frame->body.len == 0)
		return FAULT_NONE;
	code = read_u8(&r);
	if (!reason_is_allowed(code, PACKET_AUTH)) /* [MQTT5-3.15.2-1] */
		return fault_of(REASON_PROTOCOL_ERROR, "the reason code is not one of AUTH");
	out->reason = (enum reason)code;
	if (!fault_is_none(fault = properties_read(&r, PACKET_AUTH, &out->properties)) ||
	    !fault_is_none(fault = wire_check_end(&r)))
		return fault;
	return properties_have(&out->properties, PROPERTY_AUTH_METHOD)
	           ? FAULT_NONE
	           : fault_of(REASON_PROTOCOL_ERROR, "AUTH lacks its Authentication Method");
}

/* [MQTT5-3.15.2-2, -3] */
void auth_encode(struct buf *out, enum reason reason, struct slice method, struct slice data)
{
	size_t start = out->len;
	size_t block;

	buf_put_u8(out, (uint8_t)reason);
	block = out->len;
	property_put_string(out, PROPERTY_AUTH_METHOD, method);
	put_string_if_any(out, PROPERTY_AUTH_DATA, data);
	wire_close_properties(out, block);
	wire_close_packet(out, start, PACKET_AUTH);
}
