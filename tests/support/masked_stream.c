/* Bytes of the stream below come by on_bytes. Whatever a call of the owner does, nothing of this
 * stream is touched after it, unless stream_deliver says that it is still here. */
#include "support/masked_stream.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"

struct masked_stream {
	struct stream stream;
};

static struct masked_stream *masked_of(struct stream *stream)
{
	return container_of(stream, struct masked_stream, stream);
}

void masked_stream_change(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= MASKED_STREAM_MASK;
}

static void on_bytes(void *arg, struct slice bytes)
{
	struct buf plain = {0};

	buf_put_slice(&plain, bytes);
	masked_stream_change(plain.data, plain.len);
	(void)stream_deliver(arg, plain.data, plain.len);
	buf_fini(&plain);
}

static const struct stream_events inner_events = {
    .on_bytes = on_bytes,
    .on_stage = stream_pass_stage,
    .on_drained = stream_pass_drained,
    .on_closed = stream_pass_closed,
};

static void op_write(struct stream *stream, struct slice bytes)
{
	struct buf masked = {0};

	buf_put_slice(&masked, bytes);
	masked_stream_change(masked.data, masked.len);
	stream_write(stream->inner, buf_slice(&masked));
	buf_fini(&masked);
}

static void op_free(struct stream *stream)
{
	free(masked_of(stream));
}

static const struct stream_ops ops = {
    .write = op_write, .free = op_free, .inner_events = &inner_events};

struct stream *masked_stream_new(struct stream *inner)
{
	struct masked_stream *m = xnew(m);

	m->stream = (struct stream){.ops = &ops, .facts = inner->facts, .inner = inner};
	return &m->stream;
}
