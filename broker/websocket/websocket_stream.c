/* What arrives is decoded in the memory of the stream below; what is written gets a header, and
 * leaves with it in one record of TLS. An idle connection has a few bytes here and no buffer. */
#include "websocket/websocket_stream.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/require.h"
#include "base/scratch.h"
#include "websocket/websocket_frame.h"

#define UNPRODUCTIVE_WINDOW_S 60
#define CLOSE_FLUSH_MS        1000
/* Of a record of TLS. */
#define RECORD_BYTES 16384

struct websocket_stream {
	struct stream stream;
	struct websocket_decoder decoder;
	/* When a byte of MQTT came last. */
	uint64_t data_ms;
	/* Of decoder.unproductive, before the minute at hand, which began then. */
	uint32_t unproductive_before, unproductive_since_s;
	/* The client closed, or broke the rules: the code that is still to be said; 0: neither. */
	uint16_t last_code;
	/* Of on_closed, where this side closed it. */
	uint8_t end;
	/* A Close frame was sent: nothing may follow it. */
	bool closing;
};
/* It is what an idle client has more than one over TLS alone. */
_Static_assert(sizeof(struct websocket_stream) <= 120, "a small chunk of the heap");

static struct websocket_stream *websocket_of(struct stream *stream)
{
	return container_of(stream, struct websocket_stream, stream);
}

/* --- writing --- */

/* One frame: its header and as much as fits go into one record. */
static void send_frame(struct websocket_stream *ws, enum websocket_opcode opcode,
                       struct slice bytes)
{
	uint8_t record[RECORD_BYTES] UNINITIALIZED;
	size_t head = websocket_put_head(record, opcode, bytes.len);
	size_t n = bytes.len < sizeof(record) - head ? bytes.len : sizeof(record) - head;

	if (n > 0)
		memcpy(record + head, bytes.data, n);
	stream_write(ws->stream.inner, slice_of(record, head + n));
	if (n < bytes.len)
		stream_write(ws->stream.inner, slice_skip(bytes, n));
}

static void op_write(struct stream *stream, struct slice bytes)
{
	struct websocket_stream *ws = websocket_of(stream);

	if (!ws->closing && bytes.len > 0)
		send_frame(ws, WEBSOCKET_OP_BINARY, bytes); /* [MQTT5-6.0.0-1] */
}

static void send_close(struct websocket_stream *ws, enum websocket_code code)
{
	uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};

	if (ws->closing)
		return;
	ws->closing = true;
	send_frame(ws, WEBSOCKET_OP_CLOSE,
	           code == WEBSOCKET_NO_CODE ? SLICE_EMPTY : slice_of(payload, sizeof(payload)));
}

/* --- ending --- */

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	unsigned code = stream->facts->close_code;

	send_close(websocket_of(stream), code == 0 ? WEBSOCKET_NORMAL : (enum websocket_code)code);
	stream_close(stream->inner, flush_ms);
}

/* After the client's last byte. RFC 6455 5.5.1, 7.1.7 */
static void end_by_client(struct websocket_stream *ws)
{
	if (ws->last_code == 0)
		return;
	ws->end = ws->stream.facts->end_cause != NULL ? STREAM_END_WEBSOCKET : STREAM_END_PEER;
	send_close(ws, (enum websocket_code)ws->last_code);
	stream_close(ws->stream.inner, CLOSE_FLUSH_MS);
}

static void on_inner_closed(void *arg, enum stream_end end)
{
	struct websocket_stream *ws = websocket_of(arg);

	stream_call_closed(&ws->stream, end == STREAM_END_LOCAL ? (enum stream_end)ws->end : end);
}

/* --- reading --- */

/* Control frames cost work and say nothing. */
static bool is_unproductive(struct websocket_stream *ws, size_t plain)
{
	uint32_t now_s = (uint32_t)(ws->stream.executor->now_ms / 1000);

	if (plain > 0 || now_s - ws->unproductive_since_s >= UNPRODUCTIVE_WINDOW_S) {
		ws->unproductive_since_s = now_s;
		ws->unproductive_before = ws->decoder.unproductive;
	}
	if (ws->decoder.unproductive < ws->unproductive_before)
		ws->unproductive_before = 0;
	/* mutant: websocket_unproductive_frames */
	return ws->decoder.unproductive - ws->unproductive_before > WEBSOCKET_UNPRODUCTIVE_MAX;
}

/* What is said to a client that takes nothing is dropped: it could ask for ever. */
static void answer_ping(struct websocket_stream *ws, struct slice payload)
{
	/* mutant: websocket_ping_flood */
	if (stream_backlog(ws->stream.inner) <= STREAM_BACKLOG_LOW && !ws->closing)
		send_frame(ws, WEBSOCKET_OP_PONG, payload);
}

/* Frames that carry nothing do not keep a client alive: MQTT counts its own packets.
 * [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
static void note_heard(struct websocket_stream *ws, size_t plain)
{
	if (plain > 0)
		ws->data_ms = ws->stream.facts->heard_ms;
	else
		/* mutant: websocket_ping_keeps_alive */
		ws->stream.facts->heard_ms = ws->data_ms;
}

/* Decodes all of it, up to a Close or a fault. Of several pings the last is answered (RFC 6455
 * 5.5.3). */
static struct websocket_event decode(struct websocket_stream *ws, uint8_t *bytes, size_t len,
                                     size_t *plain)
{
	uint8_t ping[WEBSOCKET_CONTROL_MAX] UNINITIALIZED;
	size_t ping_len = 0, at = 0;
	bool pinged = false;
	struct websocket_event event = {.kind = WEBSOCKET_NOTHING};

	while (at < len && event.kind != WEBSOCKET_CLOSE && event.kind != WEBSOCKET_FAULT) {
		at = websocket_decode(&ws->decoder, bytes, len, at, plain, &event);
		if (event.kind != WEBSOCKET_PING)
			continue;
		pinged = true;
		ping_len = event.payload.len;
		if (ping_len > 0)
			memcpy(ping, event.payload.data, ping_len);
	}
	if (pinged)
		answer_ping(ws, slice_of(ping, ping_len));
	return event;
}

static void on_bytes(void *arg, struct slice in)
{
	struct websocket_stream *ws = websocket_of(arg);
	uint8_t *bytes =
	    (uint8_t *)(uintptr_t)in.data; /* stream_deliver's buffer: ours to change */
	size_t plain = 0;
	struct websocket_event event = decode(ws, bytes, in.len, &plain);

	note_heard(ws, plain);
	if (event.kind != WEBSOCKET_FAULT && is_unproductive(ws, plain))
		event = (struct websocket_event){
		    .kind = WEBSOCKET_FAULT,
		    .code = WEBSOCKET_REFUSED,
		    .cause = "the client sent more than 64 KiB of WebSocket frames without a byte "
			     "of MQTT within a minute"};
	if (event.kind == WEBSOCKET_CLOSE || event.kind == WEBSOCKET_FAULT) {
		ws->last_code = (uint16_t)event.code;
		ws->stream.facts->end_cause = event.cause; /* NULL: it closed */
	}
	if (plain == 0 || stream_deliver(&ws->stream, bytes, plain))
		end_by_client(ws);
}

static const struct stream_events inner_events = {
    .on_bytes = on_bytes,
    .on_stage = stream_pass_stage,
    .on_drained = stream_pass_drained,
    .on_closed = on_inner_closed,
};

/* --- the rest --- */

/* What it was moved with. */
static void op_attach(struct stream *stream)
{
	end_by_client(websocket_of(stream));
}

static void op_free(struct stream *stream)
{
	struct websocket_stream *ws = websocket_of(stream);

	websocket_decoder_fini(&ws->decoder);
	free(ws);
}

static const struct stream_ops ops = {
    .write = op_write,
    .close = op_close,
    .attach = op_attach,
    .free = op_free,
    .inner_events = &inner_events,
};

struct stream *websocket_stream_new(struct stream *inner)
{
	struct websocket_stream *ws = xnew(ws);

	REQUIRE(inner->executor == NULL);
	ws->stream = (struct stream){.ops = &ops, .facts = inner->facts, .inner = inner};
	ws->data_ms = inner->facts->heard_ms;
	ws->end = STREAM_END_LOCAL;
	return &ws->stream;
}
