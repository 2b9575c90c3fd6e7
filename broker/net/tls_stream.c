/* TLS between a stream of ciphertext and its owner.  OpenSSL works on memory: its BIO reads from
 * what was just received, and writes into a buffer of the loop, which goes to the stream below
 * before any owner is called.  So an idle connection has no buffers of ours, and a wake-up is one
 * recv(), one on_bytes with everything decrypted, one send().  OpenSSL's state is made only when
 * the first bytes look like TLS: a peer that sends nothing, or plain text, costs next to nothing.
 */
#include "net/tls_stream.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/require.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/loop_internal.h"
#include "net/tls_context_internal.h"
#include "net/tls_explain.h"
#include "net/tls_hello.h"
#include "net/tls_io.h"
#include "net/tls_log.h"
#include "net/tls_peer.h"

/* An AES-GCM key is good for 2^24.5 full records (RFC 8446 5.5); half of that is enough. */
#define BYTES_PER_KEY ((uint64_t)1 << 37)
/* More output than this goes to the stream below before more is encrypted. */
#define OUT_BYTES_MAX  ((size_t)262144)
#define ALERT_FLUSH_MS 1000
/* One read, until the first packet and while there is more than a turn's share: what cannot be
 * worked off in this turn stays in the kernel. */
#define CAREFUL_READ_BYTES 8192

enum fill {
	FILL_DRY,   /* all ciphertext is used up */
	FILL_MORE,  /* the buffer is full first */
	FILL_LATER, /* the share of this turn is used up */
	FILL_END,   /* close_notify */
	FILL_FAILED,
};

struct tls_stream {
	struct stream stream;
	/* What carries the records. */
	struct stream *inner;
	/* Until the first bytes came: where the context is found. */
	struct tls_source *source;
	/* From then on: the one that was in force. */
	struct tls_context *ctx;
	/* NULL until the first bytes came. */
	SSL *ssl;
	/* NULL while detached. */
	struct tls_loop *shared;
	struct tls_io io;
	struct tls_peer peer;
	/* Ciphertext that waits while paused, or on the way to another loop. */
	struct buf pending;
	/* Bytes written under the key in use. */
	uint64_t sealed;
	struct loop_job job;
	struct timer delay;
	/* Of facts.packets, seen so far. */
	uint32_t packets;
	/* FILL_END or FILL_FAILED: the owner, who has paused, does not know yet. */
	enum fill stopped;
	/* Why it was closed from this side. */
	uint8_t end;
	bool established;
	bool proven; /* a whole packet came */
	bool behind; /* it had more than its share of the last turn */
	bool failed; /* OpenSSL must not be called again: no SSL_shutdown */
	bool closed; /* from this side: on_closed of the stream below is waited for */
	bool paused; /* by the owner */
	bool delayed;
	bool inner_paused;
};

static struct tls_stream *tls_of(struct stream *stream)
{
	return container_of(stream, struct tls_stream, stream);
}

static const struct tls_stream *tls_of_const(const struct stream *stream)
{
	return (const struct tls_stream *)(const void *)stream; /* its first member */
}

static uint64_t now_ms(const struct tls_stream *t)
{
	return t->stream.executor->now_ms;
}

static bool reads(const struct tls_stream *t)
{
	return !t->closed && !t->paused && !t->delayed;
}

static void add_job(struct tls_stream *t, enum loop_place place)
{
	loop_add_job(t->stream.loop, &t->job, place);
}

/* The stream below reads while ciphertext would be used up at once. */
static void update_inner(struct tls_stream *t)
{
	bool pause = !reads(t) || t->job.place != LOOP_NOT_QUEUED;

	if (t->closed || pause == t->inner_paused)
		return;
	t->inner_paused = pause;
	if (pause)
		stream_pause(t->inner);
	else
		stream_resume(t->inner);
}

/* --- output --- */

static void send_out(struct tls_stream *t)
{
	struct buf *out = &t->shared->out;

	stream_write(t->inner, buf_slice(out));
	if (out->cap > 2 * OUT_BYTES_MAX)
		buf_fini(out);
	else
		buf_clear(out);
}

static struct tls_report report_of(struct tls_stream *t)
{
	return (struct tls_report){
	    .peer = &t->stream.facts->peer, .ctx = t->ctx, .hello = t->io.hello, .ssl = t->ssl};
}

/* --- ending --- */

static void end_work(struct tls_stream *t, enum stream_end end)
{
	t->closed = true;
	t->end = (uint8_t)end;
	t->delayed = false;
	executor_timer_disarm(t->stream.executor, &t->delay);
	loop_queue_remove(&t->stream.loop->queue, &t->job);
}

/* close_notify: once, and only where both sides still understand each other. */
static void close_stream(struct tls_stream *t, enum stream_end end, uint64_t flush_ms)
{
	if (t->closed)
		return;
	end_work(t, end);
	if (t->established && !t->failed) {
		t->failed = true;
		tls_io_select(t->shared, &t->io);
		(void)SSL_shutdown(t->ssl);
		send_out(t);
	}
	stream_close(t->inner, flush_ms);
}

static void abort_stream(struct tls_stream *t, enum stream_end end)
{
	end_work(t, end);
	stream_abort(t->inner);
}

/* The alert that OpenSSL made is sent. */
static void fail_tls(struct tls_stream *t)
{
	struct tls_report report = report_of(t);

	report.failure = tls_explain(t->ssl);
	t->failed = true;
	if (t->established)
		tls_log_broken(&report, now_ms(t));
	else
		tls_log_handshake_failed(&report, now_ms(t));
	send_out(t);
	close_stream(t, STREAM_END_TLS, ALERT_FLUSH_MS);
}

/* The peer made work without sending data. */
static void fail_for_excess(struct tls_stream *t, const struct tls_excess *excess)
{
	struct tls_report report = report_of(t);

	t->failed = true;
	tls_log_excess(&report, excess, now_ms(t));
	abort_stream(t, STREAM_END_TLS); /* nothing is owed to it: no alert, no lingering */
}

/* TLS 1.3 changes the key in place; TLS 1.2 would have to renegotiate, which is off: the client has
 * to connect again. */
static void renew_key(struct tls_stream *t)
{
	t->sealed = 0;
	if (SSL_version(t->ssl) >= TLS1_3_VERSION)
		(void)SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	else
		close_stream(t, STREAM_END_TLS, ALERT_FLUSH_MS);
}

static void op_write(struct stream *stream, struct slice bytes)
{
	struct tls_stream *t = tls_of(stream);

	if (!t->established || t->failed || t->closed || t->shared == NULL)
		return;
	t->sealed += bytes.len;
	while (bytes.len > 0) {
		size_t n = bytes.len < OUT_BYTES_MAX ? bytes.len : OUT_BYTES_MAX;

		tls_io_select(t->shared, &t->io);
		if (SSL_write_ex(t->ssl, bytes.data, n, &n) != 1) {
			fail_tls(t);
			return;
		}
		bytes = slice_skip(bytes, n);
		if (t->shared->out.len >= OUT_BYTES_MAX || bytes.len == 0)
			send_out(t);
	}
	if (t->sealed >= BYTES_PER_KEY)
		renew_key(t);
}

/* --- input --- */

static enum fill fill_stopped(struct tls_stream *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return t->io.in.len > 0 ? FILL_LATER : FILL_DRY;
	case SSL_ERROR_ZERO_RETURN:
		return FILL_END;
	default:
		return FILL_FAILED;
	}
}

/* Decrypt until the ciphertext ends, the buffer is full or the share of the turn is used up: many
 * small records make one call of the owner. */
static enum fill fill_plain(struct tls_stream *t, size_t *len)
{
	struct tls_loop *shared = t->shared;
	size_t n;

	*len = 0;
	while (*len < sizeof(shared->plain)) {
		int result;

		if (!tls_work_begin(&t->io.work))
			return FILL_LATER;
		tls_io_select(t->shared, &t->io);
		n = 0;
		result =
		    SSL_read_ex(t->ssl, shared->plain + *len, sizeof(shared->plain) - *len, &n);
		tls_work_end(&t->io.work, n);
		if (result != 1)
			return fill_stopped(t, result);
		*len += n;
		if (t->io.in.len == 0 && SSL_has_pending(t->ssl) == 0)
			return FILL_DRY;
	}
	return FILL_MORE;
}

/* What is unread goes to `pending`, or stays there. Nothing to do outside of a read. */
static void save_rest(struct tls_stream *t)
{
	if (t->io.in.data == NULL)
		return;
	if (t->pending.len == 0)
		buf_put_slice(&t->pending, t->io.in);
	else
		buf_consume(&t->pending, t->pending.len - t->io.in.len);
	if (t->pending.len == 0)
		buf_fini(&t->pending);
	t->io.in = SLICE_EMPTY;
}

static void input_stopped(struct tls_stream *t, enum fill how)
{
	t->io.in = SLICE_EMPTY;
	buf_fini(&t->pending);
	t->stopped = how;
	if (!reads(t))
		return; /* the owner learns of it after stream_resume */
	if (how == FILL_FAILED)
		fail_tls(t);
	else
		close_stream(t, STREAM_END_PEER, 0);
}

/* After on_bytes: false where the peer makes too much work. */
static bool check_work(struct tls_stream *t)
{
	struct tls_excess excess;

	if (t->stream.facts->packets != t->packets) {
		t->packets = t->stream.facts->packets;
		if (!t->proven)
			SSL_clear_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
		t->proven = true;
		tls_work_moved(&t->io.work);
	}
	excess = tls_work_excess(&t->io.work);
	if (excess.counted == NULL)
		return true;
	if (!t->closed)
		fail_for_excess(t, &excess);
	return false;
}

static void go_on(struct tls_stream *t);

static void on_delay(struct timer *timer, void *executor_arg)
{
	struct tls_stream *t = container_of(timer, struct tls_stream, delay);

	(void)executor_arg;
	t->delayed = false;
	go_on(t);
}

/* There may be more than this turn had time for, or than this second has. */
static void go_on_later(struct tls_stream *t, enum fill how)
{
	uint64_t delay_ms = tls_work_delay_ms(&t->io.work, now_ms(t));

	t->behind = how == FILL_LATER;
	if (delay_ms > 0) {
		t->delayed = true;
		t->delay.fire = on_delay;
		executor_timer_arm(t->stream.executor, &t->delay, delay_ms);
	} else if (t->behind && (t->io.in.len > 0 || SSL_has_pending(t->ssl) != 0)) {
		add_job(t, LOOP_LATER);
	}
}

/* Afterwards all ciphertext is used up or in `pending`, or the stream has moved. */
static void feed(struct tls_stream *t)
{
	enum fill how = t->stopped == FILL_DRY ? FILL_MORE : t->stopped;
	size_t len;

	tls_work_turn(&t->io.work, now_ms(t));
	while (how == FILL_MORE && reads(t)) {
		how = fill_plain(t, &len);
		send_out(t);
		if (len > 0 && !stream_deliver(&t->stream, t->shared->plain, len))
			return;
		if (!check_work(t))
			break;
	}
	if (how == FILL_END || how == FILL_FAILED)
		input_stopped(t, how);
	else if (reads(t))
		go_on_later(t, how);
	save_rest(t);
	update_inner(t);
}

/* Ciphertext at hand: what was kept, else what is there to read. False: the stream has ended. */
static bool take_input(struct tls_stream *t)
{
	size_t cap = t->proven && !t->behind ? LOOP_READ_BYTES : CAREFUL_READ_BYTES;
	struct loop *loop = t->stream.loop;
	ssize_t n;

	if (t->pending.len > 0) {
		t->io.in = buf_slice(&t->pending);
		return true;
	}
	n = stream_read(t->inner, loop->in, cap);
	if (n < 0)
		return false;
	t->io.in = slice_of(loop->in, (size_t)n);
	return true;
}

/* --- handshake --- */

/* A client that connects and closes is not worth a line in the log; one that closes after it got
 * the certificate is. */
static void gone_in_handshake(struct tls_stream *t)
{
	struct tls_report report = report_of(t);

	if (t->io.hello == NULL || !t->io.hello->seen)
		return;
	report.failure.cause = "the client closed the connection during the handshake; clients "
			       "that do not trust the broker's certificate often do this";
	tls_log_handshake_failed(&report, now_ms(t));
}

/* False: the stream has been closed. */
static bool begin_handshake(struct tls_stream *t)
{
	t->ctx = tls_source_context(t->source);
	tls_source_unref(&t->source);
	/* NULL: the listener is closed */
	if (t->ctx == NULL || !tls_explain_is_tls(t->io.in)) {
		if (t->ctx != NULL)
			tls_log_plaintext(&t->stream.facts->peer, t->ctx,
			                  tls_explain_plaintext(t->io.in), now_ms(t));
		t->io.in = SLICE_EMPTY;
		close_stream(t, STREAM_END_TLS, 0);
		return false;
	}
	t->ssl = SSL_new(t->ctx->groups[0].ssl_ctx);
	if (t->ssl == NULL) { /* OpenSSL has no memory */
		fail_tls(t);
		return false;
	}
	tls_io_attach(t->shared, t->ssl);
	SSL_set_accept_state(t->ssl);
	SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT); /* until the first packet is whole */
	t->io.hello = xnew(t->io.hello);
	return true;
}

static void report_stage(struct tls_stream *t, enum stream_stage stage)
{
	/* mutant: half_open_sees_handshake */
	if (t->stream.events->on_stage != NULL)
		t->stream.events->on_stage(t->stream.arg, stage);
}

static void handshake_done(struct tls_stream *t)
{
	t->established = true;
	tls_peer_init(&t->peer, t->ctx, t->ssl);
	t->stream.facts->established = true;
	t->stream.facts->tls = &t->peer.tls;
	report_stage(t, STREAM_STAGE_DONE);
	SSL_set_msg_callback(t->ssl, NULL);
	free(t->io.hello);
	t->io.hello = NULL;
	feed(t);
}

/* It needs more bytes, or had its share of the turn. */
static void continue_handshake(struct tls_stream *t)
{
	struct tls_excess excess = tls_work_handshake_excess(&t->io.work);

	if (t->closed)
		return;
	if (excess.counted != NULL) {
		t->io.in = SLICE_EMPTY;
		fail_for_excess(t, &excess);
		return;
	}
	if (t->io.in.len > 0)
		add_job(t, LOOP_HANDSHAKE);
	save_rest(t);
	update_inner(t);
}

static void handshake_failed(struct tls_stream *t)
{
	struct tls_excess excess = tls_work_handshake_excess(&t->io.work);

	t->io.in = SLICE_EMPTY;
	if (excess.counted != NULL)
		fail_for_excess(t, &excess);
	else
		fail_tls(t);
}

static void run_handshake(struct tls_stream *t)
{
	int result;

	if (!take_input(t)) {
		gone_in_handshake(t);
		return;
	}
	if (t->io.in.len > 0 && t->ssl == NULL && !begin_handshake(t))
		return;
	if (t->ssl == NULL) {
		update_inner(t);
		return;
	}
	tls_io_select(t->shared, &t->io);
	tls_work_begin_handshake(&t->io.work);
	result = SSL_do_handshake(t->ssl);
	if (t->io.hello->seen && !t->io.work.hello_seen)
		report_stage(t, STREAM_STAGE_HELLO);
	tls_work_end_handshake(&t->io.work, t->io.hello->seen);
	if (result != 1 && SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ) {
		handshake_failed(t);
		return;
	}
	send_out(t);
	if (result == 1)
		handshake_done(t);
	else
		continue_handshake(t);
}

/* --- the stream below --- */

/* Or its end, found while paused. */
static bool decrypted_waits(const struct tls_stream *t)
{
	if (t->stopped != FILL_DRY)
		return true;
	return t->pending.len == 0 && t->ssl != NULL && SSL_pending(t->ssl) > 0;
}

/* What is here already has its turn before more is read. */
static void go_on(struct tls_stream *t)
{
	if (reads(t) && t->job.place == LOOP_NOT_QUEUED &&
	    (t->pending.len > 0 || decrypted_waits(t)))
		add_job(t, LOOP_READY);
	update_inner(t);
}

static void read_input(struct tls_stream *t)
{
	if (!t->established) {
		add_job(t, LOOP_HANDSHAKE);
		update_inner(t);
		return;
	}
	/* What OpenSSL holds comes first; the rest is still below. */
	if (decrypted_waits(t) || take_input(t))
		feed(t);
}

static void on_job(struct loop_job *job, enum loop_place place)
{
	struct tls_stream *t = container_of(job, struct tls_stream, job);

	if (place == LOOP_HANDSHAKE)
		run_handshake(t);
	else if (reads(t)) /* it may have paused since */
		read_input(t);
	else
		update_inner(t);
}

static void on_inner_readable(void *arg)
{
	struct tls_stream *t = arg;

	if (!reads(t)) /* the transport broke, and the owner does not want what is left */
		abort_stream(t, STREAM_END_RESET);
	else if (t->job.place == LOOP_NOT_QUEUED)
		read_input(t);
}

static void on_inner_drained(void *arg)
{
	struct tls_stream *t = arg;

	(void)stream_call_drained(&t->stream);
}

static void free_tls(struct tls_stream *t)
{
	SSL_free(t->ssl);
	tls_source_unref(&t->source);
	tls_context_unref(&t->ctx);
	free(t->io.hello);
	buf_fini(&t->pending);
	free(t);
}

static void on_inner_closed(void *arg, enum stream_end end)
{
	struct tls_stream *t = arg;

	if (!t->closed)
		end_work(t, end);
	t->stream.events->on_closed(t->stream.arg,
	                            end == STREAM_END_LOCAL ? (enum stream_end)t->end : end);
	free_tls(t);
}

static const struct stream_events inner_events = {
    .on_readable = on_inner_readable,
    .on_drained = on_inner_drained,
    .on_closed = on_inner_closed,
};

/* --- the owner's calls --- */

static size_t op_backlog(const struct stream *stream)
{
	return stream_backlog(tls_of_const(stream)->inner);
}

static void op_set_paused(struct stream *stream, bool paused)
{
	struct tls_stream *t = tls_of(stream);

	t->paused = paused;
	if (t->shared != NULL)
		go_on(t);
}

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	struct tls_stream *t = tls_of(stream);

	if (t->shared != NULL)
		close_stream(t, STREAM_END_LOCAL, flush_ms);
}

static void op_abort(struct stream *stream)
{
	struct tls_stream *t = tls_of(stream);

	if (t->shared != NULL)
		abort_stream(t, STREAM_END_LOCAL);
}

static void op_detach(struct stream *stream)
{
	struct tls_stream *t = tls_of(stream);

	save_rest(t);
	t->delayed = false;
	executor_timer_disarm(stream->executor, &t->delay);
	loop_queue_remove(&stream->loop->queue, &t->job);
	t->shared = NULL;
	stream_detach(t->inner);
}

static void op_attach(struct stream *stream)
{
	struct tls_stream *t = tls_of(stream);

	t->shared = tls_io_loop(stream->loop);
	if (t->ssl != NULL)
		tls_io_attach(t->shared, t->ssl);
	stream_attach(t->inner, stream->loop, &inner_events, t);
	go_on(t);
}

static void op_free(struct stream *stream)
{
	struct tls_stream *t = tls_of(stream);

	stream_discard(t->inner);
	free_tls(t);
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

struct stream *tls_stream_new(struct stream *inner, struct tls_source *source)
{
	struct tls_stream *t = xnew(t);

	REQUIRE(inner->executor == NULL && inner->ops->read != NULL);
	t->stream = (struct stream){.ops = &ops, .facts = inner->facts};
	t->stream.facts->established = false;
	t->inner = inner;
	t->source = tls_source_ref(source);
	t->job.run = on_job;
	t->end = STREAM_END_LOCAL;
	return &t->stream;
}
