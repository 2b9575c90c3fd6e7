/* PINGREQ and PINGRESP both ways.  Pure. */
#include "proto/packet_ping.h"

#include "proto/wire.h"

struct fault packet_ping_decode(const struct frame *frame)
{
	struct reader r = reader_of(frame->body);
	struct fault fault = wire_check_flags(frame);

	return fault_is_none(fault) ? wire_check_end(&r) : fault;
}

void packet_ping_encode(struct buf *out)
{
	frame_put_header(out, PACKET_PINGRESP, 0, 0); /* [MQTT-3.12.4-1] */
}

void packet_ping_encode_request(struct buf *out)
{
	frame_put_header(out, PACKET_PINGREQ, 0, 0);
}
