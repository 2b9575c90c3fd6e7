/* What the codec tests share: bytes written as text, and memory that ends where the bytes end, so
 * that a sanitizer sees the first byte too far. */
#ifndef TEST_PROTO_ROWS_H
#define TEST_PROTO_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "proto/fault.h"
#include "proto/frame.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline unsigned hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = strchr(digits, c);

	if (c == '\0' || at == NULL)
		fail_msg("not a hexadecimal digit: '%c'", c);
	return at == NULL ? 0 : (unsigned)(at - digits);
}

/* "0004 'MQTT' 05": hexadecimal bytes, blanks between them as you like, text in single quotes. */
static inline void put_text_bytes(struct buf *out, const char *text)
{
	while (*text != '\0') {
		if (*text == ' ') {
			text++;
		} else if (*text == '\'') {
			size_t len = strcspn(text + 1, "'");

			buf_put(out, text + 1, len);
			text += len + 2;
		} else {
			buf_put_u8(out, (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1])));
			text += 2;
		}
	}
}

/* A heap copy of exactly these bytes; free with slice_free. */
static inline struct slice exact_copy(struct slice s)
{
	/* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): of 0 bytes none may be read */
	uint8_t *data = malloc(s.len);

	if (s.len > 0)
		memcpy(data, s.data, s.len);
	return slice_of(data, s.len);
}

static inline struct slice exact_bytes(const char *text)
{
	struct buf b = {0};
	struct slice s;

	put_text_bytes(&b, text);
	s = exact_copy(buf_slice(&b));
	buf_fini(&b);
	return s;
}

static inline void slice_free(struct slice s)
{
	free((void *)(uintptr_t)s.data);
}

static inline struct frame frame_with(enum packet_type type, unsigned flags, struct slice body)
{
	return (struct frame){.type = type, .flags = (uint8_t)flags, .body = body};
}

/* The one packet that these bytes are. */
static inline struct frame frame_of_packet(struct slice packet)
{
	struct frame f = {0};
	size_t needed;

	assert_int_equal(frame_next(&packet, SIZE_MAX, &f, &needed), FRAME_COMPLETE);
	assert_int_equal(packet.len, 0);
	return f;
}

static inline bool slice_is(struct slice s, const char *text)
{
	struct slice want = exact_bytes(text);
	bool equal = slice_equal(s, want);

	slice_free(want);
	return equal;
}

/* Compare what an encoder wrote, and empty it. */
static inline void expect_bytes(const char *name, struct buf *got, const char *want)
{
	if (!slice_is(buf_slice(got), want)) {
		for (size_t i = 0; i < got->len; i++)
			print_error("%02x ", (unsigned)got->data[i]);
		fail_msg("%s: wants %s", name, want);
	}
	buf_clear(got);
}

/* The body inside an encoded packet, its header checked. */
static inline void expect_packet(const char *name, struct buf *got, enum packet_type type,
                                 unsigned flags, struct slice body)
{
	struct frame f = frame_of_packet(buf_slice(got));

	if (f.type != type || f.flags != flags || !slice_equal(f.body, body))
		fail_msg("%s: encoded packet differs", name);
	buf_clear(got);
}

/* Whatever is wrong has words too. */
static inline void expect_reason(const char *name, struct fault got, enum reason want)
{
	if (got.reason != want)
		fail_msg("%s: %s instead of %s", name, reason_name(got.reason), reason_name(want));
	if (fault_is_none(got) != (got.cause == NULL))
		fail_msg("%s: the cause is %s", name, got.cause == NULL ? "missing" : got.cause);
}

#endif
