/* Checks that all decoders share, and putting lengths before what they measure.  Pure; proto only.
 */
#include "proto/wire.h"

#include "base/require.h"

struct fault wire_check_end(const struct reader *r)
{
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the packet ends inside a field");
	return reader_left(r) == 0
	           ? FAULT_NONE
	           : fault_of(REASON_MALFORMED, "there are bytes after the last field");
}

struct fault wire_packet_id_fault(const struct frame *frame, size_t at)
{
	return fault_of(REASON_MALFORMED, frame->body.len < at + 2
	                                      ? "the packet identifier is missing"
	                                      : "the packet identifier is 0");
}

/* `len` bytes at the end of `b` move to offset `at`; what stood there comes after them. */
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

	REQUIRE(start <= end);
	buf_put_varint(out, (uint32_t)(end - start)); /* [MQTT5-2.2.2-1]: zero is written too */
	rotate_tail(out, start, out->len - end);
}

void wire_close_packet(struct buf *out, size_t start, enum packet_type type)
{
	size_t end = out->len;

	REQUIRE(start <= end);
	frame_put_header(out, type, frame_flags(type), end - start);
	rotate_tail(out, start, out->len - end);
}
