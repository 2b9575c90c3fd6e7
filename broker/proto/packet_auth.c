/* AUTH both ways.  Pure. */
#include "proto/packet_auth.h"

#include "proto/wire.h"

/* An empty body is Success without properties (3.15.2.1); every other must name its method
 * (3.15.2.2.2). */
struct fault packet_auth_decode(const struct frame *frame, struct auth *out)
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
void packet_auth_encode(struct buf *out, enum reason reason, struct slice method, struct slice data)
{
	size_t start = out->len;
	size_t block;

	buf_put_u8(out, (uint8_t)reason);
	block = out->len;
	property_put_string(out, PROPERTY_AUTH_METHOD, method);
	property_put_string_if_any(out, PROPERTY_AUTH_DATA, data);
	wire_close_properties(out, block);
	wire_close_packet(out, start, PACKET_AUTH);
}
