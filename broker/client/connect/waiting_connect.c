/* The packet is decoded again each time, so that its fields are not stored twice. */
#include "client/connect/waiting_connect.h"

#include "base/crypto.h"
#include "proto/packet_connect.h"

void waiting_connect_decode(struct conn *c, struct connect *packet)
{
	struct slice in = buf_slice(&c->in);
	struct frame f;
	size_t needed;

	REQUIRE_OWNER(&c->link);
	REQUIRE(frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE);
	REQUIRE(fault_is_none(packet_connect_decode(&f, packet)));
}

bool waiting_connect_peek(const struct conn *c, struct connect *packet)
{
	struct reader r = reader_of(buf_slice(&c->in));
	uint32_t length;

	REQUIRE_OWNER(&c->link);
	*packet = (struct connect){.version = MQTT_3_1_1};
	if (c->attempt != NULL && c->attempt->decode != NULL) {
		c->attempt->decode(c, packet);
		return true;
	}
	if (c->state == CONN_ACCEPTED || read_u8(&r) >> 4 != PACKET_CONNECT)
		return false;
	length = read_varint(&r);
	return !r.bad &&
	       packet_connect_peek(
		   slice_of(r.at, reader_left(&r) < length ? reader_left(&r) : length), packet);
}

void waiting_connect_drop(struct conn *c)
{
	struct slice in = buf_slice(&c->in);
	size_t size = in.len, needed;
	struct frame f;

	REQUIRE_OWNER(&c->link);
	if (in.len == 0)
		return;
	if (frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE)
		size = f.size_bytes;
	crypto_wipe(c->in.data, size);
	buf_consume(&c->in, size);
	if (c->in.len == 0)
		buf_fini(&c->in);
}
