/* Our decoder of WebSocket frames against libwslay's: what is data, what is refused, with which
 * code. Input: a byte k, k % 8 sizes of reads, then the bytes of a connection. */
#include <stdint.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/require.h"
#include "websocket/websocket_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct buf data;
	/* 0: it goes on. */
	unsigned code;
	bool closed; /* by the client */
	bool text;
	bool in_part; /* a header or a control frame has not come whole */
	size_t left;  /* bytes that were not looked at */
};

/* --- ours --- */

static bool feed(struct websocket_decoder *d, struct outcome *o, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	struct websocket_event event = {.kind = WEBSOCKET_NOTHING};
	size_t at = 0, plain = 0;

	if (len > 0)
		memcpy(copy, bytes, len);
	while (at < len && event.kind != WEBSOCKET_CLOSE && event.kind != WEBSOCKET_FAULT) {
		at = websocket_decode(d, copy, len, at, &plain, &event);
		REQUIRE(plain <= at && at <= len);
	}
	buf_put(&o->data, copy, plain);
	free(copy);
	o->left -= at;
	if (event.kind != WEBSOCKET_CLOSE && event.kind != WEBSOCKET_FAULT)
		return true;
	o->closed = event.kind == WEBSOCKET_CLOSE;
	o->code = event.code;
	o->text = event.code == WEBSOCKET_UNSUPPORTED && !o->closed;
	return false;
}

static void run_ours(struct outcome *o, const uint8_t *sizes, size_t count, struct slice in)
{
	struct websocket_decoder d = {0};
	bool more = true;

	o->left = in.len;
	for (size_t i = 0; i < count && more; i++) {
		size_t n = sizes[i] < in.len ? sizes[i] : in.len;

		more = feed(&d, o, in.data, n);
		in = slice_skip(in, n);
	}
	if (more)
		(void)feed(&d, o, in.data, in.len);
	o->in_part = d.head_len > 0 || (d.control != NULL && d.left > 0);
	websocket_decoder_fini(&d);
}

/* --- wslay --- */

struct reference {
	struct slice in;
	struct outcome *out;
	uint8_t opcode;
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t cap, int flags, void *arg)
{
	struct reference *r = arg;
	size_t n = r->in.len < cap ? r->in.len : cap;

	(void)flags;
	if (n == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(out, r->in.data, n);
	r->in = slice_skip(r->in, n);
	return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *bytes, size_t len, int flags,
                       void *arg)
{
	(void)ctx;
	(void)bytes;
	(void)flags;
	(void)arg;
	return (ssize_t)len;
}

static void on_start(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_start_arg *frame, void *arg)
{
	struct reference *r = arg;

	(void)ctx;
	r->opcode = frame->opcode;
	if (frame->opcode == WSLAY_TEXT_FRAME)
		r->out->text = true;
}

static void on_chunk(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
	struct reference *r = arg;

	(void)ctx;
	if (!wslay_is_ctrl_frame(r->opcode) && !r->out->text)
		buf_put(&r->out->data, chunk->data, chunk->data_length);
}

static void run_reference(struct outcome *o, struct slice in)
{
	static const struct wslay_event_callbacks callbacks = {
	    .recv_callback = on_recv,
	    .send_callback = on_send,
	    .on_frame_recv_start_callback = on_start,
	    .on_frame_recv_chunk_callback = on_chunk,
	};
	struct reference r = {.in = in, .out = o};
	wslay_event_context_ptr ctx;

	REQUIRE(wslay_event_context_server_init(&ctx, &callbacks, &r) == 0);
	wslay_event_config_set_no_buffering(ctx, 1);
	wslay_event_config_set_max_recv_msg_length(ctx, INT64_MAX);
	/* A header that is wrong in itself ends it without a code. */
	if (wslay_event_recv(ctx) != 0)
		o->code = WEBSOCKET_PROTOCOL_ERROR;
	(void)wslay_event_send(ctx);
	o->closed = wslay_event_get_close_received(ctx) != 0;
	if (o->code == 0 && wslay_event_get_close_sent(ctx))
		o->code = wslay_event_get_status_code_sent(ctx);
	wslay_event_context_free(ctx);
}

/* --- both --- */

static void compare(const struct outcome *ours, const struct outcome *theirs)
{
	/* A text frame is an error of MQTT only, and what follows it is not looked at. */
	if (ours->text) {
		REQUIRE(theirs->text || theirs->code != 0 || ours->left < WEBSOCKET_HEAD_MAX);
		REQUIRE(slice_equal(buf_slice(&ours->data), buf_slice(&theirs->data)) ||
		        theirs->data.len >= ours->data.len);
		return;
	}
	/* Codes that were registered after wslay was written. */
	if (ours->closed && ours->code >= 1012 && ours->code <= 1014)
		return;
	REQUIRE(slice_equal(buf_slice(&ours->data), buf_slice(&theirs->data)));
	/* wslay looks at the length before the mask has come, and at words as they come. */
	if (ours->code == 0 && ours->in_part && theirs->code != 0)
		return;
	/* We look at the first two bytes at once, wslay when there is a byte of the payload. */
	if (ours->code != 0 && theirs->code == 0 && ours->left < WEBSOCKET_HEAD_MAX)
		return;
	REQUIRE((ours->code != 0) == (theirs->code != 0));
	/* A Close with a wrong code and wrong words: either may be named. */
	if (ours->code == WEBSOCKET_PROTOCOL_ERROR && theirs->code == WEBSOCKET_BAD_DATA)
		return;
	/* RFC 6455 5.5.1: a Close has no code or two bytes of it; wslay takes one byte for none. */
	if (ours->code == WEBSOCKET_PROTOCOL_ERROR && theirs->code == WEBSOCKET_NO_CODE)
		return;
	REQUIRE(ours->code == theirs->code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = size == 0 ? 0 : data[0] % 8;
	struct outcome ours = {0}, theirs = {0};
	struct slice in;

	if (size < 1 + count)
		return 0;
	in = slice_of(data + 1 + count, size - 1 - count);
	run_ours(&ours, data + 1, count, in);
	run_reference(&theirs, in);
	compare(&ours, &theirs);
	buf_fini(&ours.data);
	buf_fini(&theirs.data);
	return 0;
}
