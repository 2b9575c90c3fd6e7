/* Framing must not depend on how the bytes arrive: the same stream whole, and in pieces.
 * Input: a byte k, k % 16 piece sizes, then the stream. */
#include <stdint.h>
#include <stdlib.h>

#include "base/require.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES 4096

/* What came out: packets as type, flags and place in the stream, and how it ended. */
struct outcome {
	size_t packets;
	uint64_t digest;
	enum frame_result end;
	size_t consumed;
};

static void note(struct outcome *o, uint64_t v)
{
	o->digest = (o->digest ^ v) * UINT64_C(0x100000001b3);
}

/* The header written again is the header that was read. */
static void check_header(struct slice packet, const struct frame *f)
{
	struct buf b = {0};

	if (f->padded) /* nobody writes it so */
		return;
	frame_put_header(&b, f->type, f->flags, f->body.len);
	REQUIRE(b.len + f->body.len == f->size_bytes);
	REQUIRE(memcmp(b.data, packet.data, b.len) == 0);
	buf_fini(&b);
}

/* All packets of what has arrived, from exact memory. False: this stream is over. */
static bool drain(struct outcome *o, struct slice arrived)
{
	size_t left = arrived.len - o->consumed;
	uint8_t *copy = malloc(left);
	struct slice in;
	struct frame f;
	size_t needed;

	if (left > 0)
		memcpy(copy, arrived.data + o->consumed, left);
	in = slice_of(copy, left);
	for (;;) {
		struct slice before = in;

		o->end = frame_next(&in, MAX_BYTES, &f, &needed);
		if (o->end != FRAME_COMPLETE)
			break;
		check_header(before, &f);
		REQUIRE(needed == f.size_bytes && f.size_bytes <= MAX_BYTES);
		note(o, (uint64_t)f.type << 4 | f.flags);
		note(o, o->consumed);
		note(o, f.size_bytes);
		o->packets++;
		o->consumed += f.size_bytes;
	}
	if (o->end == FRAME_INCOMPLETE)
		REQUIRE(needed == 0 || (needed > in.len && needed <= MAX_BYTES));
	free(copy);
	return o->end == FRAME_INCOMPLETE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t pieces = size == 0 ? 0 : data[0] % 16;
	struct outcome whole = {0};
	struct outcome split = {0};
	struct slice stream;
	size_t arrived = 0;
	bool more = true;

	if (size == 0 || size < 1 + pieces)
		return 0;
	stream = slice_of(data + 1 + pieces, size - 1 - pieces);
	drain(&whole, stream);
	for (size_t i = 0; i < pieces && more; i++) {
		arrived += data[1 + i];
		if (arrived > stream.len)
			arrived = stream.len;
		more = drain(&split, slice_of(stream.data, arrived));
	}
	if (more)
		drain(&split, stream);
	REQUIRE(whole.packets == split.packets && whole.digest == split.digest);
	REQUIRE(whole.end == split.end && whole.consumed == split.consumed);
	return 0;
}
