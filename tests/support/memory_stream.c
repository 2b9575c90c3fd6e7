/* A stream and its far end, in two buffers.  memory_run takes the place of the kernel.
 * The stream and its far end are freed apart: each forgets the other. */
#include "support/memory_stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/require.h"
#include "base/utf8.h"

struct memory {
	struct stream stream;
	struct stream_facts facts;
	struct stream_tls tls;
	/* NULL once the test has freed it. */
	struct memory_peer *peer;
	char *name, *certificate_name;
	/* Written while stalled. */
	struct buf backlog;
	uint64_t accepted;
	struct timer deadline;
	enum stream_end end;
	bool paused, flushing, ended;
};

struct memory_peer {
	/* NULL once it is gone. */
	struct memory *stream;
	struct buf to_broker, from_broker;
	/* What may be read in this call of memory_run. */
	size_t may_read;
	enum stream_end send_end;
	enum stream_fit fit;
	bool has_end, stalled;
};

static struct memory *memory_of(struct stream *stream)
{
	return container_of(stream, struct memory, stream);
}

static const struct memory *memory_of_const(const struct stream *stream)
{
	return container_of_const(stream, struct memory, stream);
}

static void op_free(struct stream *stream)
{
	struct memory *m = memory_of(stream);

	if (m->peer != NULL)
		m->peer->stream = NULL;
	buf_fini(&m->backlog);
	free(m->name);
	free(m->certificate_name);
	free(m);
}

/* on_closed comes from memory_run. */
static void end_it(struct memory *m, enum stream_end end)
{
	if (m->ended)
		return;
	if (m->stream.executor != NULL)
		executor_timer_disarm(m->stream.executor, &m->deadline);
	m->ended = true;
	m->end = end;
	buf_clear(&m->backlog);
}

static void op_write(struct stream *stream, struct slice bytes)
{
	struct memory *m = memory_of(stream);

	if (m->ended || m->flushing || m->peer == NULL || bytes.len == 0)
		return;
	if (!m->peer->stalled && m->backlog.len == 0) {
		buf_put_slice(&m->peer->from_broker, bytes);
		m->accepted += bytes.len;
		return;
	}
	buf_put_slice(&m->backlog, bytes);
}

static size_t op_backlog(const struct stream *stream)
{
	return memory_of_const(stream)->backlog.len;
}

static uint64_t op_accepted(const struct stream *stream)
{
	return memory_of_const(stream)->accepted;
}

static ssize_t op_read(struct stream *stream, void *out, size_t cap)
{
	struct memory *m = memory_of(stream);
	struct memory_peer *peer = m->peer;
	size_t n;

	if (m->ended || m->flushing)
		return -1;
	if (peer == NULL)
		return 0;
	if (peer->to_broker.len == 0 && peer->has_end) {
		end_it(m, peer->send_end);
		return -1;
	}
	n = peer->to_broker.len < cap ? peer->to_broker.len : cap;
	n = n < peer->may_read ? n : peer->may_read;
	memcpy(out, peer->to_broker.data, n);
	buf_consume(&peer->to_broker, n);
	peer->may_read -= n;
	return (ssize_t)n;
}

static void op_set_paused(struct stream *stream, bool paused)
{
	memory_of(stream)->paused = paused;
}

static void on_deadline(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	end_it(container_of(timer, struct memory, deadline), STREAM_END_LOCAL);
}

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	struct memory *m = memory_of(stream);

	if (m->ended || m->flushing)
		return;
	m->flushing = true;
	if (m->backlog.len == 0 || flush_ms == 0) {
		end_it(m, STREAM_END_LOCAL);
		return;
	}
	m->deadline.fire = on_deadline;
	executor_timer_arm(stream->executor, &m->deadline, flush_ms);
}

static void op_abort(struct stream *stream)
{
	end_it(memory_of(stream), STREAM_END_LOCAL);
}

static void op_detach(struct stream *stream)
{
	struct memory *m = memory_of(stream);

	REQUIRE(!m->flushing || m->ended);
}

static struct memory *memory_of_tls(const struct stream_tls *tls)
{
	return container_of((struct stream_tls *)(uintptr_t)tls, struct memory, tls);
}

static size_t certificate_names(const struct stream_tls *tls, enum conf_certificate_user kind,
                                struct buf *out)
{
	struct slice name = slice_of_str(memory_of_tls(tls)->certificate_name);

	if (kind == CERTIFICATE_USER_NONE || name.len == 0 || !utf8_valid(name))
		return 0;
	buf_put_slice(out, name);
	return 1;
}

static void certificate_subject(const struct stream_tls *tls, struct buf *out)
{
	buf_printf(out, "CN=%s", memory_of_tls(tls)->certificate_name);
}

static enum stream_fit fits(const struct stream_tls *tls, const struct tls_context *ctx,
                            bool connected, const char **why)
{
	const struct memory *m = memory_of_tls(tls);

	(void)ctx;
	(void)connected;
	*why = "the test says so";
	return m->peer == NULL ? STREAM_FITS : m->peer->fit;
}

static const struct stream_tls_ops tls_ops = {
    .certificate_names = certificate_names,
    .certificate_subject = certificate_subject,
    .fits = fits,
};

static const struct stream_ops ops = {
    .read = op_read,
    .write = op_write,
    .backlog = op_backlog,
    .accepted = op_accepted,
    .set_paused = op_set_paused,
    .close = op_close,
    .abort = op_abort,
    .detach = op_detach,
    .free = op_free,
};

struct stream *memory_stream_new(unsigned listener, const char *name, const char *certificate_name,
                                 struct memory_peer **peer)
{
	struct memory *m = xnew(m);

	*peer = xcalloc(1, sizeof(**peer));
	(*peer)->stream = m;
	m->stream = (struct stream){.ops = &ops, .facts = &m->facts};
	m->peer = *peer;
	m->name = xstrdup(name);
	m->certificate_name = certificate_name == NULL ? NULL : xstrdup(certificate_name);
	m->tls = (struct stream_tls){
	    .version = "none", .has_certificate = certificate_name != NULL, .ops = &tls_ops};
	m->facts = (struct stream_facts){.peer = {.kind = PEER_NAMED, .name = m->name},
	                                 .listener = listener,
	                                 .established = true,
	                                 .tls = &m->tls};
	return &m->stream;
}

void memory_peer_free(struct memory_peer *peer)
{
	if (peer == NULL)
		return;
	REQUIRE(peer->stream == NULL ||
	        peer->stream->stream.executor == NULL); /* on_closed would never come */
	if (peer->stream != NULL)
		peer->stream->peer = NULL;
	buf_fini(&peer->to_broker);
	buf_fini(&peer->from_broker);
	free(peer);
}

void memory_set_fit(struct memory_peer *peer, enum stream_fit fit)
{
	peer->fit = fit;
}

void memory_send(struct memory_peer *peer, struct slice bytes)
{
	REQUIRE(!peer->has_end);
	buf_put_slice(&peer->to_broker, bytes);
}

void memory_send_end(struct memory_peer *peer, enum stream_end end)
{
	peer->has_end = true;
	peer->send_end = end;
}

struct buf *memory_received(struct memory_peer *peer)
{
	return &peer->from_broker;
}

void memory_stall(struct memory_peer *peer, bool stalled)
{
	peer->stalled = stalled;
}

void memory_accept(struct memory_peer *peer, size_t max_bytes)
{
	struct memory *m = peer->stream;
	size_t n = m->backlog.len < max_bytes ? m->backlog.len : max_bytes;

	buf_put(&peer->from_broker, m->backlog.data, n);
	buf_consume(&m->backlog, n);
	m->accepted += n;
}

bool memory_is_closed(const struct memory_peer *peer)
{
	return peer->stream == NULL || (peer->stream->ended && peer->stream->backlog.len == 0);
}

bool memory_is_gone(const struct memory_peer *peer)
{
	return peer->stream == NULL;
}

static bool run_output(struct memory_peer *peer, struct memory *m)
{
	if (m->backlog.len == 0 || peer->stalled || m->ended)
		return false;
	m->accepted += m->backlog.len;
	buf_put_slice(&peer->from_broker, buf_slice(&m->backlog));
	buf_fini(&m->backlog);
	if (m->flushing)
		end_it(m, STREAM_END_LOCAL);
	else
		m->stream.events->on_drained(m->stream.arg);
	return true;
}

static bool may_read(const struct memory *m)
{
	return m != NULL && m->stream.executor == executor_current() && !m->paused &&
	       !m->flushing && !m->ended;
}

/* A stream above this one reads the end by itself. */
static bool has_end_for_layer(const struct memory_peer *peer)
{
	return peer->has_end && peer->stream->stream.events->on_readable != NULL;
}

/* The bytes are taken out first: the callback may detach the stream, even end it. */
static bool run_input(struct memory_peer *peer, size_t max_bytes)
{
	struct memory *m = peer->stream;
	size_t n = peer->to_broker.len < max_bytes ? peer->to_broker.len : max_bytes;
	char *bytes;

	if (!may_read(m) || (n == 0 && !has_end_for_layer(peer)))
		return false;
	if (m->stream.events->on_readable != NULL) {
		peer->may_read = n;
		m->stream.events->on_readable(m->stream.arg);
		return true;
	}
	bytes = slice_dup(slice_of(peer->to_broker.data, n));
	buf_consume(&peer->to_broker, n);
	m->stream.events->on_bytes(m->stream.arg, slice_of(bytes, n));
	free(bytes);
	return true;
}

static bool run_end(struct memory_peer *peer)
{
	struct memory *m = peer->stream;

	if (may_read(m) && peer->has_end && peer->to_broker.len == 0 && !has_end_for_layer(peer))
		end_it(m, peer->send_end);
	if (m == NULL || !m->ended || m->stream.executor != executor_current())
		return false;
	stream_call_closed(&m->stream, m->end);
	return true;
}

bool memory_run(struct memory_peer *peer, size_t max_bytes)
{
	struct memory *m = peer->stream;
	bool ran;

	REQUIRE(executor_current() != NULL && max_bytes > 0);
	if (m == NULL || m->stream.executor != executor_current())
		return false;
	ran = run_output(peer, m);
	ran |= run_input(peer, max_bytes);
	ran |= run_end(peer);
	return ran;
}
