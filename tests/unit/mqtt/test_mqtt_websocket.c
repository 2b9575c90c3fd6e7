/* The client's side of WebSocket: what it asks, which answers it takes, frames of the server cut in
 * every place, and its own frames as the broker's decoder reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"
#include "mqtt/mqtt_websocket.h"

/* RFC 6455 1.3: the bytes of its example's key, and what belongs to it. */
static const char nonce[] = "the sample nonce";
#define ANSWER_STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define ANSWER_FIELDS                                                                              \
	"upgrade: WebSocket\r\nConnection: Upgrade\r\n"                                            \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define ANSWER_PROTOCOL "Sec-WebSocket-Protocol:mqtt \r\n"
#define ANSWER          ANSWER_STATUS ANSWER_FIELDS ANSWER_PROTOCOL "\r\n"

static void put_nonce(void *arg, void *out, size_t len)
{
	(void)arg;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)nonce[i % (sizeof(nonce) - 1)];
}

static void ask(struct mqtt_websocket *w, struct buf *wire)
{
	random_use(put_nonce, NULL);
	mqtt_websocket_ask(w, "house:8443", "/mqtt", wire);
	random_use(NULL, NULL);
}

static void what_it_asks(void **state)
{
	struct mqtt_websocket w = {0};
	struct buf wire = {0};

	(void)state;
	ask(&w, &wire);
	/* [MQTT5-6.0.0-3] [MQTT3-6.0.0-3] */
	assert_true(
	    slice_equal(buf_slice(&wire), SLICE("GET /mqtt HTTP/1.1\r\nHost: house:8443\r\n"
	                                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	                                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                                        "Sec-WebSocket-Version: 13\r\n"
	                                        "Sec-WebSocket-Protocol: mqtt\r\n\r\n")));
	buf_fini(&wire);
	mqtt_websocket_fini(&w);
}

struct row {
	const char *name;
	struct slice bytes; /* of the server, behind the good answer unless `answer` */
	struct slice plain, wire_plain;
	const char *why; /* NULL: it goes on */
	bool answer;
};

#define ROW(name, bytes, plain, ...)                                                               \
	{                                                                                          \
		name, SLICE_INIT(bytes), SLICE_INIT(plain), __VA_ARGS__                            \
	}
#define NO_WIRE SLICE_INIT("")

static const struct row rows[] = {
    ROW("nothing more", "", "", NO_WIRE, NULL, false),
    ROW("one frame",
        "\x82\x03"
        "abc",
        "abc", NO_WIRE, NULL, false),
    ROW("three frames of two messages",
        "\x82\x01"
        "a\x02\x01"
        "b\x80\x01"
        "c",
        "abc", NO_WIRE, NULL, false),
    ROW("an empty frame",
        "\x82\x00\x82\x01"
        "a",
        "a", NO_WIRE, NULL, false),
    ROW("126 bytes of length",
        "\x82\x7e\x00\x03"
        "abc",
        "abc", NO_WIRE, NULL, false),
    ROW("a ping inside of a message",
        "\x02\x01"
        "a\x89\x02hi\x80\x01"
        "b",
        "ab", SLICE_INIT("\x8a\x02hi"), NULL, false),
    ROW("a pong is nothing",
        "\x8a\x00\x82\x01"
        "a",
        "a", NO_WIRE, NULL, false),
    ROW("closed",
        "\x82\x01"
        "a\x88\x00",
        "a", SLICE_INIT("\x88\x00"), "the server closed the WebSocket", false),
    ROW("closed with a reason", "\x88\x06\x03\xeaoops", "", SLICE_INIT("\x88\x02\x03\xea"),
        "the server closed the WebSocket with 1002: oops", false),
    ROW("text",
        "\x81\x01"
        "a",
        "", NO_WIRE, "the server broke the protocol of WebSocket: a frame is text", false),
    ROW("masked", "\x82\x81", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a frame is masked", false),
    ROW("an extension", "\xc2\x01", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a frame has bits of an extension, and none "
        "was agreed on",
        false),
    ROW("reserved", "\x83\x01", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a frame has a reserved opcode", false),
    ROW("a fragmented ping", "\x09\x00", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a control frame is fragmented, or too long",
        false),
    ROW("a long ping", "\x89\x7e\x00\x80", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a control frame is fragmented, or too long",
        false),
    ROW("it continues nothing", "\x80\x00", "", NO_WIRE,
        "the server broke the protocol of WebSocket: a frame is out of its order", false),
    ROW("63 bits", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "", NO_WIRE,
        "the server broke the protocol of WebSocket: the length of a frame is not valid", false),
    ROW("not found", "HTTP/1.1 404 Not Found\r\n\r\n", "", NO_WIRE,
        "the server refused the WebSocket: 404 Not Found: is it the right path?", true),
    ROW("no HTTP", "\x20\x02\x00\x05 \r\n\r\n", "", NO_WIRE,
        "the server does not speak HTTP there: is it the port of its WebSocket?", true),
    ROW("another key",
        ANSWER_STATUS "Upgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n" ANSWER_PROTOCOL "\r\n",
        "", NO_WIRE, "the server's answer is not that of a WebSocket", true),
    ROW("no upgrade", ANSWER_STATUS ANSWER_PROTOCOL "\r\n", "", NO_WIRE,
        "the server's answer is not that of a WebSocket", true),
    /* [MQTT5-6.0.0-4] [MQTT3-6.0.0-4] */
    ROW("no subprotocol", ANSWER_STATUS ANSWER_FIELDS "\r\n", "", NO_WIRE,
        "the WebSocket of the server is not one for MQTT: it does not confirm the subprotocol "
        "mqtt",
        true),
};

/* Whole frames, read by the broker's decoder: the opcodes and the payloads, as frames without mask.
 */
static void unmask_all(struct slice wire, struct buf *out)
{
	struct reader r = reader_of(wire);

	while (reader_left(&r) > 0) {
		uint8_t first = read_u8(&r), second = read_u8(&r);
		struct slice mask, payload;

		assert_true((second & 0x80) != 0);
		assert_true((second & 0x7f) < 126);
		mask = read_bytes(&r, 4);
		payload = read_bytes(&r, second & 0x7f);
		assert_false(r.bad);
		buf_put_u8(out, first);
		buf_put_u8(out, second & 0x7f);
		for (size_t i = 0; i < payload.len; i++)
			buf_put_u8(out, payload.data[i] ^ mask.data[i % 4]);
	}
}

/* In pieces of so many bytes. */
static void feed(const struct row *row, size_t piece)
{
	struct mqtt_websocket w = {0};
	struct buf all = {0}, wire = {0}, plain = {0}, why = {0}, answered = {0};
	bool goes_on = true;

	ask(&w, &wire);
	buf_clear(&wire);
	if (!row->answer)
		buf_put_slice(&all, SLICE(ANSWER));
	buf_put_slice(&all, row->bytes);
	for (size_t at = 0, n; at < all.len && goes_on; at += n) {
		uint8_t
		    *bytes; /* of its own size, so that a sanitizer sees what is read behind it */
		size_t got = 0;

		n = all.len - at < piece ? all.len - at : piece;
		bytes = xalloc(n);
		memcpy(bytes, all.data + at, n);
		goes_on = mqtt_websocket_input(&w, bytes, n, &got, &wire, &why);
		buf_put(&plain, bytes, got);
		free(bytes);
	}
	unmask_all(buf_slice(&wire), &answered);
	if (goes_on != (row->why == NULL) ||
	    !slice_equal(buf_slice(&why), slice_of_str(row->why == NULL ? "" : row->why)))
		fail_msg("%s, pieces of %zu: '%.*s'", row->name, piece, (int)why.len,
		         (const char *)why.data);
	if (!slice_equal(buf_slice(&plain), row->plain) ||
	    !slice_equal(buf_slice(&answered), row->wire_plain))
		fail_msg("%s, pieces of %zu: other bytes", row->name, piece);
	assert_int_equal(w.state, row->why == NULL ? MQTT_WEBSOCKET_OPEN : MQTT_WEBSOCKET_OVER);
	buf_fini(&all);
	buf_fini(&wire);
	buf_fini(&plain);
	buf_fini(&why);
	buf_fini(&answered);
	mqtt_websocket_fini(&w);
}

static void what_the_server_sends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t piece = 1; piece < 300; piece++)
			feed(&rows[i], piece);
	}
}

static void an_answer_without_end(void **state)
{
	struct mqtt_websocket w = {0};
	struct buf wire = {0}, why = {0};
	uint8_t bytes[1000];
	size_t plain, rounds = 0;

	(void)state;
	ask(&w, &wire);
	memset(bytes, 'x', sizeof(bytes));
	while (mqtt_websocket_input(&w, bytes, sizeof(bytes), &plain, &wire, &why))
		assert_true(++rounds < 10);
	assert_true(slice_equal(buf_slice(&why),
	                        SLICE("the server's answer to the WebSocket request has no end")));
	buf_fini(&wire);
	buf_fini(&why);
	mqtt_websocket_fini(&w);
}

/* --- our frames --- */

static void open_it(struct mqtt_websocket *w)
{
	struct buf wire = {0}, why = {0};
	uint8_t bytes[] = ANSWER;
	size_t plain;

	ask(w, &wire);
	assert_true(mqtt_websocket_input(w, bytes, sizeof(bytes) - 1, &plain, &wire, &why));
	buf_fini(&wire);
	buf_fini(&why);
}

/* Two packets: PINGREQ, and a PUBLISH of `size` bytes. */
static void put_packets(struct buf *out, size_t size)
{
	buf_put_u16(out, 0xc000);
	buf_put_u8(out, 0x30);
	buf_put_varint(out, (uint32_t)(size - 2 - (size > 129)));
	while (out->len < size + 2)
		buf_put_u8(out, (uint8_t)out->len);
}

static size_t count_frames(struct slice wire)
{
	size_t count = 0;

	while (wire.len > 0) {
		size_t length = wire.data[1] & 0x7f, head = 6;

		if (length == 126) {
			length = (size_t)wire.data[2] << 8 | wire.data[3];
			head = 8;
		}
		assert_int_equal(wire.data[0], 0x80 | WEBSOCKET_OP_BINARY); /* [MQTT5-6.0.0-1] */
		assert_true(length > 0 && wire.len >= head + length);
		wire = slice_skip(wire, head + length);
		count++;
	}
	return count;
}

static void cut(size_t size, unsigned cuts, size_t want)
{
	struct mqtt_websocket w = {0};
	struct buf packets = {0}, wire = {0};
	struct websocket_decoder d = {0};
	struct websocket_event event;
	size_t plain = 0;

	open_it(&w);
	put_packets(&packets, size);
	mqtt_websocket_put(&w, buf_slice(&packets), cuts, &wire);
	assert_int_equal(count_frames(buf_slice(&wire)), want);
	assert_int_equal(websocket_decode(&d, wire.data, wire.len, 0, &plain, &event), wire.len);
	assert_int_equal(event.kind, WEBSOCKET_NOTHING);
	assert_true(slice_equal(slice_of(wire.data, plain), buf_slice(&packets)));
	websocket_decoder_fini(&d);
	buf_fini(&packets);
	buf_fini(&wire);
	mqtt_websocket_fini(&w);
}

static void how_packets_are_cut(void **state)
{
	(void)state;
	for (size_t size = 20; size < 400; size += 17) {
		cut(size, 0, 1);
		cut(size, 1, 2);
		cut(size, 6, 2 + 6); /* PINGREQ has two bytes */
	}
	cut(20, 100, 2 + 20);
	cut(300, 100, 2 + 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_it_asks),
	    cmocka_unit_test(what_the_server_sends),
	    cmocka_unit_test(an_answer_without_end),
	    cmocka_unit_test(how_packets_are_cut),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
