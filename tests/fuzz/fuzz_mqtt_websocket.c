/* What a server sends to a client of MQTT over WebSocket: all at once, and in pieces. Both end
 * alike with the same bytes of MQTT, the same answers and the same words. Input: a byte of flags
 * (the answer to the request has come already), a byte for the size of pieces, then the server's
 * bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"
#include "mqtt/mqtt_websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct mqtt_websocket w;
	struct buf plain, wire, why;
	bool goes_on;
};

static void feed(struct outcome *o, struct slice bytes, size_t piece)
{
	o->goes_on = true;
	while (bytes.len > 0 && o->goes_on) {
		size_t n = bytes.len < piece ? bytes.len : piece, got = 0;
		uint8_t *copy = xalloc(n);

		memcpy(copy, bytes.data, n);
		o->goes_on = mqtt_websocket_input(&o->w, copy, n, &got, &o->wire, &o->why);
		REQUIRE(got <= n);
		buf_put(&o->plain, copy, got);
		free(copy);
		bytes = slice_skip(bytes, n);
	}
	REQUIRE(o->goes_on == (o->why.len == 0));
	REQUIRE(o->goes_on == (o->w.state != MQTT_WEBSOCKET_OVER));
}

static void fini(struct outcome *o)
{
	mqtt_websocket_fini(&o->w);
	buf_fini(&o->plain);
	buf_fini(&o->wire);
	buf_fini(&o->why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = {0}, pieces = {0};
	struct slice bytes;

	if (size < 2)
		return 0;
	bytes = slice_of(data + 2, size - 2);
	whole.w.masks = pieces.w.masks = 1;
	strcpy(whole.w.key, "dGhlIHNhbXBsZSBub25jZQ==");
	strcpy(pieces.w.key, "dGhlIHNhbXBsZSBub25jZQ==");
	if ((data[0] & 1) != 0)
		whole.w.state = pieces.w.state = MQTT_WEBSOCKET_OPEN;
	feed(&whole, bytes, SIZE_MAX);
	feed(&pieces, bytes, (size_t)data[1] + 1);
	REQUIRE(whole.goes_on == pieces.goes_on && whole.w.state == pieces.w.state);
	REQUIRE(slice_equal(buf_slice(&whole.plain), buf_slice(&pieces.plain)));
	REQUIRE(slice_equal(buf_slice(&whole.wire), buf_slice(&pieces.wire)));
	REQUIRE(slice_equal(buf_slice(&whole.why), buf_slice(&pieces.why)));
	fini(&whole);
	fini(&pieces);
	return 0;
}
