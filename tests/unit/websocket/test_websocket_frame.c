/* Frames of RFC 6455: vectors, each split at every byte, and the header that is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"
#include "websocket/websocket_frame.h"

#define MASK                                                                                       \
	{                                                                                          \
		0x37, 0xfa, 0x21, 0x3d                                                             \
	}

struct row {
	const char *name;
	/* "f82'abc'": a masked frame with the first byte 82 and this payload. "r8200": bytes, up to
	 * the end. */
	const char *input;
	const char *data;              /* what comes out */
	const char *pings;             /* payloads of pings, each followed by '|' */
	enum websocket_event_kind end; /* WEBSOCKET_NOTHING, CLOSE or FAULT */
	unsigned code;
};

static const struct row rows[] = {
    /* RFC 6455 5.7, with the opcode of binary data. */
    {"a frame", "f82'Hello'", "Hello", "", WEBSOCKET_NOTHING, 0},
    {"the frame of the RFC", "r8285 37fa213d 7f9f4d5158", "Hello", "", WEBSOCKET_NOTHING, 0},
    {"fragments", "f02'Hel'f80'lo'", "Hello", "", WEBSOCKET_NOTHING, 0},
    {"many fragments", "f02'H'f00'e'f00'l'f00'l'f80'o'", "Hello", "", WEBSOCKET_NOTHING, 0},
    {"an empty frame", "f82''", "", "", WEBSOCKET_NOTHING, 0},
    {"empty fragments", "f02''f00''f80''f82'x'", "x", "", WEBSOCKET_NOTHING, 0},
    {"two messages", "f82'ab'f82'cd'", "abcd", "", WEBSOCKET_NOTHING, 0},
    {"a ping", "f89'Hello'", "", "Hello|", WEBSOCKET_NOTHING, 0},
    {"an empty ping", "f89''", "", "|", WEBSOCKET_NOTHING, 0},
    {"a pong", "f8a'Hello'f82'x'", "x", "", WEBSOCKET_NOTHING, 0},
    {"control frames between fragments", "f02'Hel'f89'p'f8a'q'f89'r'f80'lo'", "Hello", "p|r|",
     WEBSOCKET_NOTHING, 0},
    {"125 bytes",
     "f82'"
     "1234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345'",
     "1234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345",
     "", WEBSOCKET_NOTHING, 0},

    {"close", "f88''", "", "", WEBSOCKET_CLOSE, 1005},
    {"close 1000", "f88'\x03\xe8'", "", "", WEBSOCKET_CLOSE, 1000},
    {"close 1001 with words", "f88'\x03\xe9going'", "", "", WEBSOCKET_CLOSE, 1001},
    {"close 4999", "f88'\x13\x87'", "", "", WEBSOCKET_CLOSE, 4999},
    {"data, then close", "f82'x'f88'\x03\xe8'f82'y'", "x", "", WEBSOCKET_CLOSE, 1000},
    {"close between fragments", "f02'x'f88'\x03\xe8'", "x", "", WEBSOCKET_CLOSE, 1000},
    {"close with one byte", "f88'\x03'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 999", "f88'\x03\xe7'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 1005 on the wire", "f88'\x03\xed'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 1006 on the wire", "f88'\x03\xee'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 1004", "f88'\x03\xec'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 1015", "f88'\x03\xf7'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 2999", "f88'\x0b\xb7'", "", "", WEBSOCKET_FAULT, 1002},
    {"close 5000", "f88'\x13\x88'", "", "", WEBSOCKET_FAULT, 1002},
    {"close, words are not UTF-8", "f88'\x03\xe8\xff'", "", "", WEBSOCKET_FAULT, 1007},
    {"close, words end in the middle", "f88'\x03\xe8\xc3'", "", "", WEBSOCKET_FAULT, 1007},

    {"text", "f81'Hello'", "", "", WEBSOCKET_FAULT, 1003},
    {"text in fragments", "f01'Hello'", "", "", WEBSOCKET_FAULT, 1003},
    {"data, then text", "f82'x'f81'Hello'", "x", "", WEBSOCKET_FAULT, 1003},
    {"not masked", "r8205 48656c6c6f", "", "", WEBSOCKET_FAULT, 1002},
    {"not masked, empty", "r8200", "", "", WEBSOCKET_FAULT, 1002},
    {"a ping that is not masked", "r8900", "", "", WEBSOCKET_FAULT, 1002},
    {"RSV1", "fc2'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"RSV2", "fa2'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"RSV3", "f92'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"RSV1 of a ping", "fc9''", "", "", WEBSOCKET_FAULT, 1002},
    {"opcode 3", "f83'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"opcode 7", "f87'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"opcode 11", "f8b'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"opcode 15", "f8f'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"continuation of nothing", "f80'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"continuation of what has ended", "f82'x'f80'y'", "x", "", WEBSOCKET_FAULT, 1002},
    {"a message inside a message", "f02'x'f82'y'", "x", "", WEBSOCKET_FAULT, 1002},
    {"a fragmented ping", "f09'x'", "", "", WEBSOCKET_FAULT, 1002},
    {"a fragmented close", "f08''", "", "", WEBSOCKET_FAULT, 1002},
    {"a ping of 126 bytes", "r89fe 007e 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"125 in two bytes", "r82fe 007d 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"0 in two bytes", "r82fe 0000 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"65535 in eight bytes", "r82ff 000000000000ffff 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"the highest bit", "r82ff 8000000000000000 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"all bits", "r82ff ffffffffffffffff 00000000", "", "", WEBSOCKET_FAULT, 1002},
    {"2^63 - 1 is only announced", "r82ff 7fffffffffffffff 00000000 78", "x", "", WEBSOCKET_NOTHING,
     0},
    {"half a header", "r82", "", "", WEBSOCKET_NOTHING, 0},
    {"a header without payload", "r8285 37fa213d", "", "", WEBSOCKET_NOTHING, 0},
    {"MQTT without WebSocket", "r100c00044d51545404020000", "", "", WEBSOCKET_FAULT, 1002},
};

static unsigned hex_of(const char *text)
{
	char digits[3] = {text[0], text[1], '\0'};

	return (unsigned)strtoul(digits, NULL, 16);
}

static const char *put_frame(struct buf *out, const char *at)
{
	static const uint8_t mask[4] = MASK;
	const char *payload = at + 3, *end = strchr(payload, '\'');
	size_t len = (size_t)(end - payload);

	assert_true(at[2] == '\'' && len <= 125);
	buf_put_u8(out, (uint8_t)hex_of(at));
	buf_put_u8(out, (uint8_t)(0x80 | len));
	buf_put(out, mask, sizeof(mask));
	for (size_t i = 0; i < len; i++)
		buf_put_u8(out, (uint8_t)((uint8_t)payload[i] ^ mask[i % 4]));
	return end + 1;
}

static struct buf bytes_of(const char *input)
{
	struct buf out = {0};

	while (*input != '\0') {
		if (*input == 'f') {
			input = put_frame(&out, input + 1);
			continue;
		}
		for (input++; *input != '\0'; input++) {
			if (*input == ' ')
				continue;
			buf_put_u8(&out, (uint8_t)hex_of(input));
			input++;
		}
	}
	return out;
}

struct outcome {
	struct buf data, pings;
	struct websocket_event last;
};

static void outcome_fini(struct outcome *o)
{
	buf_fini(&o->data);
	buf_fini(&o->pings);
}

/* One read, in memory of exactly its size. False: it is over. */
static bool feed(struct websocket_decoder *d, struct outcome *o, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	size_t at = 0, plain = 0;

	if (len > 0)
		memcpy(copy, bytes, len);
	while (at < len && o->last.kind != WEBSOCKET_CLOSE && o->last.kind != WEBSOCKET_FAULT) {
		at = websocket_decode(d, copy, len, at, &plain, &o->last);
		assert_true(plain <= at && at <= len);
		if (o->last.kind == WEBSOCKET_PING) {
			buf_put_slice(&o->pings, o->last.payload);
			buf_put_u8(&o->pings, '|');
		}
	}
	buf_put(&o->data, copy, plain);
	free(copy);
	return o->last.kind != WEBSOCKET_CLOSE && o->last.kind != WEBSOCKET_FAULT;
}

static void check(const struct row *row, const struct outcome *o, const char *how, size_t split)
{
	bool over = o->last.kind == WEBSOCKET_CLOSE || o->last.kind == WEBSOCKET_FAULT;

	if (!slice_equal(buf_slice(&o->data), slice_of_str(row->data)) ||
	    !slice_equal(buf_slice(&o->pings), slice_of_str(row->pings)) ||
	    (over ? o->last.kind : WEBSOCKET_NOTHING) != row->end ||
	    (over && o->last.code != row->code))
		fail_msg("%s, %s %zu: '%.*s', pings '%.*s', event %d, code %d: %s", row->name, how,
		         split, (int)o->data.len, (const char *)o->data.data, (int)o->pings.len,
		         (const char *)o->pings.data, (int)o->last.kind, (int)o->last.code,
		         o->last.cause == NULL ? "" : o->last.cause);
	if (o->last.kind == WEBSOCKET_FAULT)
		assert_non_null(o->last.cause);
}

/* [MQTT5-6.0.0-1] [MQTT5-6.0.0-2] [MQTT3-6.0.0-1] [MQTT3-6.0.0-2] */
static void whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf in = bytes_of(rows[i].input);

		for (size_t split = 0; split <= in.len; split++) {
			struct websocket_decoder d = {0};
			struct outcome o = {0};

			if (feed(&d, &o, in.data, split))
				(void)feed(&d, &o, in.data + split, in.len - split);
			check(&rows[i], &o, "split at", split);
			outcome_fini(&o);
			websocket_decoder_fini(&d);
		}
		buf_fini(&in);
	}
}

static void byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf in = bytes_of(rows[i].input);
		struct websocket_decoder d = {0};
		struct outcome o = {0};
		size_t at = 0;

		while (at < in.len && feed(&d, &o, in.data + at, 1))
			at++;
		check(&rows[i], &o, "byte by byte", at);
		outcome_fini(&o);
		websocket_decoder_fini(&d);
		buf_fini(&in);
	}
}

#define FRAMES 3

/* Each length around the limits of its forms, in reads of several sizes. */
static void lengths(void **state)
{
	static const size_t sizes[] = {0,   1,    2,    3,     4,     5,     6,    7,   8,   9,
	                               10,  11,   12,   13,    14,    15,    16,   17,  23,  31,
	                               32,  33,   124,  125,   126,   127,   128,  255, 256, 257,
	                               999, 1000, 4096, 65534, 65535, 65536, 70000};
	static const size_t reads[] = {1, 3, 1000, 8192, 1 << 20};
	static const uint8_t mask[4] = MASK;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(reads); i++) {
		size_t size = sizes[i / ARRAY_LEN(reads)], step = reads[i % ARRAY_LEN(reads)];
		struct websocket_decoder d = {0};
		struct outcome o = {0};
		struct buf in = {0};
		uint8_t head[WEBSOCKET_HEAD_MAX];
		size_t head_len = websocket_put_head(head, WEBSOCKET_OP_BINARY, size);

		head[1] |= 0x80;
		for (size_t n = 0; n < FRAMES; n++) {
			buf_put(&in, head, head_len);
			buf_put(&in, mask, sizeof(mask));
			for (size_t k = 0; k < size; k++)
				buf_put_u8(&in, (uint8_t)((uint8_t)(k * 7) ^ mask[k % 4]));
		}
		for (size_t at = 0; at < in.len; at += step)
			assert_true(
			    feed(&d, &o, in.data + at, in.len - at < step ? in.len - at : step));
		assert_int_equal(o.data.len, FRAMES * size);
		for (size_t k = 0; k < o.data.len; k++)
			assert_int_equal(o.data.data[k], (uint8_t)((k % size) * 7));
		outcome_fini(&o);
		websocket_decoder_fini(&d);
		buf_fini(&in);
	}
}

/* RFC 6455 5.2 */
static void heads(void **state)
{
	static const struct {
		uint64_t len;
		const char *bytes;
	} want[] = {
	    {0, "8200"},
	    {125, "827d"},
	    {126, "827e007e"},
	    {65535, "827effff"},
	    {65536, "827f0000000000010000"},
	    {UINT64_C(0x0102030405060708), "827f0102030405060708"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		uint8_t head[WEBSOCKET_HEAD_MAX];
		size_t len = websocket_put_head(head, WEBSOCKET_OP_BINARY, want[i].len);

		assert_int_equal(len, strlen(want[i].bytes) / 2);
		for (size_t k = 0; k < len; k++)
			assert_int_equal(head[k], hex_of(want[i].bytes + 2 * k));
	}
}

/* An idle client has so much, and no buffer. */
static void state_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct websocket_decoder) <= 40);
}

static void unproductive_bytes_are_counted(void **state)
{
	struct buf in = bytes_of("f89'1234'f02''f8a''");
	struct buf data = bytes_of("f80'x'");
	struct websocket_decoder d = {0};
	struct outcome o = {0};

	(void)state;
	assert_true(feed(&d, &o, in.data, in.len));
	assert_int_equal(d.unproductive, in.len);
	assert_true(feed(&d, &o, data.data, data.len));
	assert_int_equal(d.unproductive, 0);
	outcome_fini(&o);
	websocket_decoder_fini(&d);
	buf_fini(&in);
	buf_fini(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_and_split), cmocka_unit_test(byte_by_byte),
	    cmocka_unit_test(lengths),         cmocka_unit_test(heads),
	    cmocka_unit_test(state_is_small),  cmocka_unit_test(unproductive_bytes_are_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
