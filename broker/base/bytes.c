/* Bytes: slices, buffers, the reader.  No I/O, no globals; any thread. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define BUF_TRIM_ABOVE ((size_t)16384)

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

char *slice_dup(struct slice s)
{
	char *copy = xalloc(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return copy;
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

size_t buf_growth(const struct buf *b, size_t extra)
{
	size_t want, cap = b->cap < 64 ? 64 : b->cap;

	if (b->cap - b->len >= extra)
		return 0;
	REQUIRE(!__builtin_add_overflow(b->len, extra, &want));
	while (cap < want)
		cap += cap / 2;
	return cap - b->cap;
}

void buf_reserve(struct buf *b, size_t extra)
{
	size_t more;

	if (b->cap - b->len >= extra)
		return;
	more = buf_growth(b, extra);
	b->data = xrealloc(b->data, b->cap + more);
	b->cap += more;
}

void buf_put_slow(struct buf *b, const void *data, size_t len)
{
	buf_reserve(b, len);
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

void buf_fini_secret(struct buf *b)
{
	/* mutant: password_in_unfinished_packet */
	if (b->data != NULL)
		explicit_bzero(b->data, b->len);
	buf_fini(b);
}

void buf_put_secret(struct buf *b, struct slice s)
{
	size_t more = buf_growth(b, s.len);

	if (more > 0) {
		struct buf larger = {.data = xalloc(b->cap + more), .len = b->len};

		larger.cap = b->cap + more;
		if (b->len > 0)
			memcpy(larger.data, b->data, b->len);
		buf_fini_secret(b);
		*b = larger;
	}
	buf_put_slice(b, s);
}

void buf_consume(struct buf *b, size_t n)
{
	REQUIRE(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->data, b->data + n, b->len);
}

void buf_trim(struct buf *b)
{
	if (b->len == 0) {
		buf_fini(b);
	} else if (b->cap > BUF_TRIM_ABOVE && b->len < b->cap / 4) {
		b->data = xrealloc(b->data, b->len);
		b->cap = b->len;
	}
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	buf_put_u16(b, (uint16_t)(v >> 16));
	buf_put_u16(b, (uint16_t)v);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	buf_put_u32(b, (uint32_t)(v >> 32));
	buf_put_u32(b, (uint32_t)v);
}

void buf_put_varint_slow(struct buf *b, uint32_t v)
{
	REQUIRE(v <= 268435455);
	do {
		uint8_t byte = v & 0x7f;

		v >>= 7;
		buf_put_u8(b, v > 0 ? (uint8_t)(byte | 0x80) : byte);
	} while (v > 0);
}

void buf_put_string(struct buf *b, struct slice s)
{
	REQUIRE(s.len <= UINT16_MAX);
	buf_put_u16(b, (uint16_t)s.len);
	buf_put_slice(b, s);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	REQUIRE(n >= 0);
	buf_reserve(b, (size_t)n + 1);
	va_start(args, format);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
}

uint32_t read_u32(struct reader *r)
{
	uint32_t high = read_u16(r);

	return (high << 16) | read_u16(r);
}

uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);

	return (high << 32) | read_u32(r);
}

uint32_t read_varint(struct reader *r)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 28; shift += 7) {
		uint8_t byte = read_u8(r);

		value |= (uint32_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) != 0)
			continue;
		if (byte == 0 && shift > 0) /* not the shortest form */
			r->bad = true;
		return r->bad ? 0 : value;
	}
	r->bad = true;
	return 0;
}
