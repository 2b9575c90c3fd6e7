/* Big endian: "VKTB", run, publisher, sequence, due. */
#include "stamp.h"

_Static_assert(STAMP_BYTES == 4 * sizeof(uint32_t) + sizeof(uint64_t), "the layout above");

#define MAGIC UINT32_C(0x564b5442)

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return at + bytes;
}

void stamp_write(uint8_t *out, const struct stamp *stamp)
{
	out = put(out, MAGIC, 4);
	out = put(out, stamp->run, 4);
	out = put(out, stamp->publisher, 4);
	out = put(out, stamp->sequence, 4);
	(void)put(out, stamp->due_ns, 8);
}

bool stamp_read(struct slice payload, struct stamp *out)
{
	struct reader r = reader_of(payload);
	uint32_t magic = read_u32(&r);

	out->run = read_u32(&r);
	out->publisher = read_u32(&r);
	out->sequence = read_u32(&r);
	out->due_ns = read_u64(&r);
	return !r.bad && magic == MAGIC;
}
