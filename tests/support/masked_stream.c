/* Bytes of the stream below come by on_bytes. Whatever a call of the owner does, nothing of this
 * stream is touched after it, unless stream_deliver says that it is still here. */
#include "support/masked_stream.h"

#include <stdlib.h>

#include "base/alloc.h"

struct masked_stream {
	struct stream stream;
	struct stream *inner;
};

static struct stream *inner_of(const struct stream *stream)
{
	return ((const struct masked_stream *)stream)->inner; /* its first member */
}

void masked_stream_change(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= MASKED_STREAM_MASK;
}

/* --- the stream below --- */

static void on_bytes(void *arg, struct slice bytes)
{
	struct masked_stream *m = arg;
	struct buf plain = {0};

	buf_put_slice(&plain, bytes);
	masked_stream_change(plain.data, plain.len);
	(void)stream_deliver(&m->stream, plain.data, plain.len);
	buf_fini(&plain);
}

static void on_stage(void *arg, enum stream_stage stage)
{
	const struct masked_stream *m = arg;

	if (m->stream.events->on_stage != NULL)
		m->stream.events->on_stage(m->stream.arg, stage);
}

static void on_drained(void *arg)
{
	struct masked_stream *m = arg;

	(void)stream_call_drained(&m->stream);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct masked_stream *m = arg;

	m->stream.events->on_closed(m->stream.arg, end);
	free(m);
}

static const struct stream_events inner_events = {
    .on_bytes = on_bytes,
    .on_stage = on_stage,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* --- the owner's calls --- */

static void op_write(struct stream *stream, struct slice bytes)
{
	struct buf masked = {0};

	buf_put_slice(&masked, bytes);
	masked_stream_change(masked.data, masked.len);
	stream_write(inner_of(stream), buf_slice(&masked));
	buf_fini(&masked);
}

static size_t op_backlog(const struct stream *stream)
{
	return stream_backlog(inner_of(stream));
}

static void op_set_paused(struct stream *stream, bool paused)
{
	if (paused)
		stream_pause(inner_of(stream));
	else
		stream_resume(inner_of(stream));
}

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	stream_close(inner_of(stream), flush_ms);
}

static void op_abort(struct stream *stream)
{
	stream_abort(inner_of(stream));
}

static void op_attach(struct stream *stream)
{
	stream_attach(inner_of(stream), stream->loop, &inner_events, stream);
}

static void op_detach(struct stream *stream)
{
	stream_detach(inner_of(stream));
}

static void op_free(struct stream *stream)
{
	stream_discard(inner_of(stream));
	free(stream);
}

static const struct stream_ops ops = {
    .write = op_write,
    .backlog = op_backlog,
    .set_paused = op_set_paused,
    .close = op_close,
    .abort = op_abort,
    .attach = op_attach,
    .detach = op_detach,
    .free = op_free,
};

struct stream *masked_stream_new(struct stream *inner)
{
	struct masked_stream *m = xnew(m);

	m->stream = (struct stream){.ops = &ops, .facts = inner->facts};
	m->inner = inner;
	return &m->stream;
}
