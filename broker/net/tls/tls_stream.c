/* TLS between a stream of ciphertext and its owner.  OpenSSL works on memory: its BIO reads from
 * what was just received, and writes into a buffer of the loop, which goes to the stream below
 * before any owner is called.  So an idle connection has no buffers of ours, and a wake-up is one
 * recv(), one on_bytes with everything decrypted, one send().  OpenSSL's state is made only when
 * the first bytes look like TLS: a peer that sends nothing, or plain text, costs next to nothing.
 */
#include "net/tls/tls_stream.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "net/loop.h"
#include "net/loop_internal.h"
#include "net/tls/tls_handshake.h"
#include "net/tls/tls_records.h"

/* --- the stream below --- */

static void on_job(struct loop_job *job, enum loop_place place)
{
	struct tls_stream *t = container_of(job, struct tls_stream, job);

	if (place == LOOP_HANDSHAKE)
		tls_handshake_run(t);
	else if (!tls_stream_reads(t)) /* it has paused since */
		tls_records_update_inner(t);
	else if (t->established)
		tls_records_run(t);
	else
		tls_records_on_readable(&t->stream);
}

static void on_inner_closed(void *arg, enum stream_end end)
{
	struct tls_stream *t = tls_stream_of(arg);

	if (!t->closed)
		tls_records_end(t, end);
	stream_call_closed(&t->stream, end == STREAM_END_LOCAL ? (enum stream_end)t->end : end);
}

static const struct stream_events inner_events = {
    .on_readable = tls_records_on_readable,
    .on_drained = stream_pass_drained,
    .on_closed = on_inner_closed,
};

/* --- the owner's calls --- */

static void op_write(struct stream *stream, struct slice bytes)
{
	struct tls_stream *t = tls_stream_of(stream);

	if (t->established && !t->failed && !t->closed && t->shared != NULL)
		tls_records_write(t, bytes);
}

static void op_set_paused(struct stream *stream, bool paused)
{
	struct tls_stream *t = tls_stream_of(stream);

	t->paused = paused;
	if (t->shared != NULL)
		tls_records_go_on(t);
}

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	tls_records_close(tls_stream_of(stream), STREAM_END_LOCAL, flush_ms);
}

static void op_abort(struct stream *stream)
{
	tls_records_abort(tls_stream_of(stream), STREAM_END_LOCAL);
}

static void op_detach(struct stream *stream)
{
	struct tls_stream *t = tls_stream_of(stream);

	tls_records_save_rest(t);
	t->delayed = false;
	executor_timer_disarm(stream->executor, &t->delay);
	loop_queue_remove(&stream->loop->queue, &t->job);
	t->shared = NULL;
}

static void op_attach(struct stream *stream)
{
	struct tls_stream *t = tls_stream_of(stream);

	t->shared = tls_io_loop(stream->loop);
	if (t->ssl != NULL)
		tls_io_attach(t->shared, t->ssl);
	tls_records_go_on(t);
}

static void op_free(struct stream *stream)
{
	struct tls_stream *t = tls_stream_of(stream);

	SSL_free(t->ssl);
	tls_source_unref(&t->source);
	tls_context_unref(&t->ctx);
	free(t->io.hello);
	buf_fini(&t->pending);
	free(t);
}

static const struct stream_ops ops = {
    .write = op_write,
    .set_paused = op_set_paused,
    .close = op_close,
    .abort = op_abort,
    .attach = op_attach,
    .detach = op_detach,
    .free = op_free,
    .inner_events = &inner_events,
};

struct stream *tls_stream_new(struct stream *inner, struct tls_source *source)
{
	struct tls_stream *t = xnew(t);

	REQUIRE(inner->executor == NULL && inner->ops->read != NULL);
	t->stream = (struct stream){.ops = &ops, .facts = inner->facts, .inner = inner};
	t->stream.facts->established = false;
	t->io.peer = &inner->facts->peer;
	t->source = tls_source_ref(source);
	t->job.run = on_job;
	t->end = STREAM_END_LOCAL;
	return &t->stream;
}
