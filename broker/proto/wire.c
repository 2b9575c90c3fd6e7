/* Putting lengths before what they measure.  Pure; proto only. */
#include "proto/wire.h"

/* `len` bytes at the end of `b` move to offset `at`; what stood there comes behind them. */
static void rotate_tail(struct buf *b, size_t at, size_t len)
{
	uint8_t head[5];

	memcpy(head, b->data + b->len - len, len);
	memmove(b->data + at + len, b->data + at, b->len - len - at);
	memcpy(b->data + at, head, len);
}

void wire_close_properties(struct buf *out, size_t start)
{
	size_t end = out->len;

	buf_put_varint(out, (uint32_t)(end - start)); /* [MQTT5-2.2.2-1]: zero is written too */
	rotate_tail(out, start, out->len - end);
}

void wire_close_packet(struct buf *out, size_t start, enum packet_type type, uint8_t flags)
{
	size_t end = out->len;

	frame_put_header(out, type, flags, end - start);
	rotate_tail(out, start, out->len - end);
}
