/* Bytes: a slice borrows, a buf owns, a reader walks.  No other code touches wire bytes.
 * Thread: any; a buf belongs to its holder. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; data may be NULL when len is 0. */
struct slice {
	const uint8_t *data;
	size_t len;
};

#define SLICE(literal)                                                                             \
	((struct slice){.data = (const uint8_t *)("" literal), .len = sizeof(literal) - 1})
/* The same, where the language needs a constant: tables. */
#define SLICE_INIT(literal)                                                                        \
	{                                                                                          \
		.data = (const uint8_t *)("" literal), .len = sizeof(literal) - 1                  \
	}
#define SLICE_EMPTY ((struct slice){.data = NULL, .len = 0})

static inline struct slice slice_of(const void *data, size_t len)
{
	return (struct slice){.data = data, .len = len};
}

static inline struct slice slice_of_str(const char *s)
{
	return slice_of(s, s == NULL ? 0 : strlen(s));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	if (a.len != b.len || a.data == NULL || b.data == NULL)
		return a.len == 0 && b.len == 0;
	return memcmp(a.data, b.data, a.len) == 0;
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_equal(slice_of(s.data, prefix.len), prefix);
}

/* The rest of `s` after its first `n` bytes; n must not be larger than s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	return n == 0 ? s : slice_of(s.data + n, s.len - n);
}

/* Bytewise order: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);
/* Heap copy with a terminating NUL behind it (the NUL is not counted); the caller frees. */
char *slice_dup(struct slice s);

/* Owned, growing bytes.  Zero-initialised is empty. */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

void buf_fini(struct buf *b); /* frees; b is empty and usable again */
/* By how much the capacity grows to take `extra` more. */
size_t buf_growth(const struct buf *b, size_t extra);
void buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes */
/* Give back what is much larger than needed; all of it where nothing is left. */
void buf_trim(struct buf *b);
void buf_consume(struct buf *b, size_t n); /* drop the first n bytes */
/* For passwords: growing leaves no copy behind, and what is freed was wiped. */
void buf_put_secret(struct buf *b, struct slice s);
void buf_fini_secret(struct buf *b);
void buf_put_slow(struct buf *b, const void *data, size_t len);
void buf_put_u32(struct buf *b, uint32_t v); /* big endian, as in MQTT */
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_varint_slow(struct buf *b, uint32_t v);
void buf_put_string(struct buf *b,
                    struct slice s); /* two-byte length, then the bytes; s.len <= 65535 */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void buf_put(struct buf *b, const void *data, size_t len)
{
	if (b->cap - b->len < len) {
		buf_put_slow(b, data, len);
	} else if (len > 0 && data != NULL) {
		memcpy(b->data + b->len, data, len);
		b->len += len;
	}
}

static inline void buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.data, s.len);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

/* Big endian, as in MQTT. */
static inline void buf_put_u16(struct buf *b, uint16_t v)
{
	uint8_t bytes[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_put(b, bytes, sizeof(bytes));
}

/* MQTT variable byte integer, v <= 268435455. */
static inline void buf_put_varint(struct buf *b, uint32_t v)
{
	if (v < 128)
		buf_put_u8(b, (uint8_t)v);
	else
		buf_put_varint_slow(b, v);
}

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->data, b->len);
}

static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}

/* Bytes that an MQTT variable byte integer of value v takes: 1 to 4. */
static inline size_t varint_size(uint32_t v)
{
	return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}

/* Walks borrowed bytes.  The first overrun sets `bad` and stays: test once, at the end. A bad
 * reader gives zeros and empty slices. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct reader reader_of(struct slice s)
{
	return (struct reader){
	    .at = s.data, .end = s.data == NULL ? NULL : s.data + s.len, .bad = false};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->at == NULL ? 0 : (size_t)(r->end - r->at);
}

static inline struct slice read_bytes(struct reader *r, size_t n)
{
	struct slice s;

	if (r->bad || reader_left(r) < n) {
		r->bad = true;
		r->at = r->end;
		return SLICE_EMPTY;
	}
	s = slice_of(r->at, n);
	if (n > 0)
		r->at += n;
	return s;
}

static inline uint8_t read_u8(struct reader *r)
{
	struct slice s = read_bytes(r, 1);

	return s.data == NULL ? 0 : s.data[0];
}

static inline uint16_t read_u16(struct reader *r)
{
	struct slice s = read_bytes(r, 2);

	return s.data == NULL ? 0 : (uint16_t)((s.data[0] << 8) | s.data[1]);
}

uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
uint32_t
read_varint(struct reader *r); /* at most four bytes and minimal, else bad [MQTT5-1.5.5-1] */

/* Two-byte length, then the bytes; UTF-8 is not checked here. */
static inline struct slice read_string(struct reader *r)
{
	return read_bytes(r, read_u16(r));
}

static inline struct slice read_rest(struct reader *r)
{
	return read_bytes(r, reader_left(r));
}

#endif
