/* The fixed header: where packets end.  Pure; hot. */
#include "proto/frame.h"

#include "base/require.h"

#define LENGTH_BYTES_MAX 4

enum length_result {
	LENGTH_KNOWN,
	LENGTH_INCOMPLETE,
	LENGTH_MALFORMED,
};

/* Remaining Length after the first byte; *bytes: how many it took. Written out instead of a reader
 * because "not yet" and "never" are different answers. */
static enum length_result remaining_length(struct slice in, size_t *bytes, uint32_t *length)
{
	uint32_t value = 0;

	for (size_t i = 0; i < LENGTH_BYTES_MAX; i++) {
		uint8_t byte;

		if (in.len <= i + 1)
			return LENGTH_INCOMPLETE;
		byte = in.data[i + 1];
		value |= (uint32_t)(byte & 0x7f) << (7 * i);
		if ((byte & 0x80) != 0)
			continue;
		*bytes = i + 1;
		*length = value;
		return LENGTH_KNOWN;
	}
	return LENGTH_MALFORMED;
}

static struct frame frame_of(struct slice in, size_t length_bytes, size_t body_bytes, size_t size)
{
	return (struct frame){
	    .type = (enum packet_type)(in.data[0] >> 4),
	    .flags = in.data[0] & 0x0f,
	    .padded = length_bytes > 1 && in.data[length_bytes] == 0,
	    .body = slice_of(in.data + 1 + length_bytes, body_bytes),
	    .size_bytes = size,
	};
}

enum frame_result frame_next(struct slice *in, size_t max_bytes, struct frame *out,
                             size_t *needed_bytes)
{
	size_t length_bytes = 0;
	uint32_t length = 0;
	size_t size;
	enum length_result known = remaining_length(*in, &length_bytes, &length);

	*needed_bytes = 0;
	if (known != LENGTH_KNOWN)
		return known == LENGTH_MALFORMED ? FRAME_MALFORMED : FRAME_INCOMPLETE;
	size = 1 + length_bytes + length;
	*needed_bytes = size;
	if (size > max_bytes) {
		*out = frame_of(*in, length_bytes,
		                size > in->len ? in->len - 1 - length_bytes : length, size);
		return FRAME_TOO_LARGE;
	}
	if (size > in->len)
		return FRAME_INCOMPLETE;
	*out = frame_of(*in, length_bytes, length, size);
	*in = slice_skip(*in, size);
	return FRAME_COMPLETE;
}

const char *packet_type_name(enum packet_type type)
{
	static const char *const names[] = {
#define PACKET(id, type, flags) [PACKET_##id] = #id,
#include "proto/packets.def"
#undef PACKET
	};

	return names[type];
}

void frame_put_header(struct buf *out, enum packet_type type, uint8_t flags, size_t body_bytes)
{
	REQUIRE(body_bytes <= FRAME_BODY_MAX);
	buf_put_u8(out, (uint8_t)((unsigned)type << 4 | flags));
	buf_put_varint(out, (uint32_t)body_bytes);
}
