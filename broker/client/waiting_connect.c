/* The packet is decoded again each time, so that its fields are not stored twice. */
#include "client/waiting_connect.h"

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
