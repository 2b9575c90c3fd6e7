/* Records of a TLS stream, both ways, and its end.  Ciphertext is at hand in `io.in` while
 * OpenSSL reads; what it makes lies in the buffer of the loop and goes to the stream below before
 * any owner is called. */
#include "net/tls/tls_records.h"

#include "base/require.h"
#include "net/loop.h"
#include "net/loop_internal.h"
#include "net/tls/tls_log.h"
#include "net/tls/tls_tickets.h"

/* An AES-GCM key is good for 2^24.5 full records (RFC 8446 5.5); half of that is enough. */
#define BYTES_PER_KEY ((uint64_t)1 << 37)
/* More output than this goes to the stream below before more is encrypted. */
#define OUT_BYTES_MAX  ((size_t)262144)
#define ALERT_FLUSH_MS 1000
/* One read, until the first packet and while there is more than a turn's share: what cannot be
 * worked off in this turn stays in the kernel. */
#define CAREFUL_READ_BYTES 8192

/* The stream below reads while ciphertext would be used up at once. */
void tls_records_update_inner(struct tls_stream *t)
{
	bool pause = !tls_stream_reads(t) || t->job.place != LOOP_NOT_QUEUED;

	if (t->closed || pause == t->inner_paused)
		return;
	t->inner_paused = pause;
	if (pause)
		stream_pause(t->stream.inner);
	else
		stream_resume(t->stream.inner);
}

/* --- output --- */

void tls_records_send(struct tls_stream *t)
{
	struct buf *out = &t->shared->out;

	stream_write(t->stream.inner, buf_slice(out));
	if (out->cap > 2 * OUT_BYTES_MAX)
		buf_fini(out);
	else
		buf_clear(out);
}

void tls_records_write(struct tls_stream *t, struct slice bytes)
{
	t->sealed += bytes.len;
	while (bytes.len > 0) {
		size_t n = bytes.len < OUT_BYTES_MAX ? bytes.len : OUT_BYTES_MAX;

		tls_io_select(t->shared, &t->io);
		if (SSL_write_ex(t->ssl, bytes.data, n, &n) != 1) {
			tls_records_fail(t);
			return;
		}
		bytes = slice_skip(bytes, n);
		if (t->shared->out.len >= OUT_BYTES_MAX || bytes.len == 0)
			tls_records_send(t);
	}
	if (t->sealed < BYTES_PER_KEY)
		return;
	/* TLS 1.3 changes the key in place; TLS 1.2 would have to renegotiate, which is off: the
	 * client has to connect again. */
	t->sealed = 0;
	if (SSL_version(t->ssl) >= TLS1_3_VERSION)
		(void)SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	else
		tls_records_close(t, STREAM_END_TLS, ALERT_FLUSH_MS);
}

/* --- ending --- */

struct tls_report tls_records_report(struct tls_stream *t)
{
	return (struct tls_report){
	    .peer = &t->stream.facts->peer, .ctx = t->ctx, .hello = t->io.hello, .ssl = t->ssl};
}

void tls_records_end(struct tls_stream *t, enum stream_end end)
{
	t->closed = true;
	t->end = (uint8_t)end;
	t->delayed = false;
	executor_timer_disarm(t->stream.executor, &t->delay);
	loop_queue_remove(&t->stream.loop->queue, &t->job);
}

/* close_notify: once, and only where both sides still understand each other. */
void tls_records_close(struct tls_stream *t, enum stream_end end, uint64_t flush_ms)
{
	if (t->closed)
		return;
	tls_records_end(t, end);
	if (t->established && !t->failed) {
		t->failed = true;
		tls_io_select(t->shared, &t->io);
		(void)SSL_shutdown(t->ssl);
		tls_records_send(t);
	}
	stream_close(t->stream.inner, flush_ms);
}

void tls_records_abort(struct tls_stream *t, enum stream_end end)
{
	tls_records_end(t, end);
	stream_abort(t->stream.inner);
}

static void count_refused(const struct tls_stream *t, enum tls_refusal why)
{
	tls_counts_add(&t->stream.loop->tls_counts.refused[why]);
}

/* The alert that OpenSSL made is sent. */
void tls_records_fail(struct tls_stream *t)
{
	struct tls_report report = tls_records_report(t);

	report.failure = tls_log_explain(t->ssl);
	t->failed = true;
	if (t->established) {
		tls_tickets_forget(t->ssl);
		tls_log_broken(&report, tls_stream_now_ms(t));
	} else {
		count_refused(t, report.failure.by_client ? TLS_REFUSAL_ALERT : TLS_REFUSAL_BROKER);
		tls_log_handshake_failed(&report, tls_stream_now_ms(t));
	}
	tls_records_send(t);
	tls_records_close(t, STREAM_END_TLS, ALERT_FLUSH_MS);
}

/* The peer made work without sending data. */
void tls_records_fail_for_excess(struct tls_stream *t, const struct tls_excess *excess)
{
	struct tls_report report = tls_records_report(t);

	t->failed = true;
	if (!t->established)
		count_refused(t, TLS_REFUSAL_EXCESS);
	tls_log_excess(&report, excess, tls_stream_now_ms(t));
	tls_records_abort(t, STREAM_END_TLS); /* nothing is owed to it: no alert, no lingering */
}

/* --- input --- */

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
		if (result != 1) {
			switch (SSL_get_error(t->ssl, result)) {
			case SSL_ERROR_WANT_READ:
				return t->io.in.len > 0 ? FILL_LATER : FILL_DRY;
			case SSL_ERROR_ZERO_RETURN:
				return FILL_END;
			default:
				return FILL_FAILED;
			}
		}
		*len += n;
		if (t->io.in.len == 0 && SSL_has_pending(t->ssl) == 0)
			return FILL_DRY;
	}
	return FILL_MORE;
}

/* What is unread goes to `pending`, or stays there. Nothing to do outside of a read. */
void tls_records_save_rest(struct tls_stream *t)
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
	t->stopped = (uint8_t)how;
	if (!tls_stream_reads(t))
		return; /* the owner learns of it after stream_resume */
	if (how == FILL_FAILED)
		tls_records_fail(t);
	else
		tls_records_close(t, STREAM_END_PEER, 0);
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
		tls_records_fail_for_excess(t, &excess);
	return false;
}

static void on_delay(struct timer *timer, void *executor_arg)
{
	struct tls_stream *t = container_of(timer, struct tls_stream, delay);

	(void)executor_arg;
	t->delayed = false;
	tls_records_go_on(t);
}

/* Ciphertext at hand: what was kept, else what is there to read. False: the stream has ended. */
bool tls_records_take(struct tls_stream *t)
{
	size_t cap = t->proven && !t->behind ? LOOP_READ_BYTES : CAREFUL_READ_BYTES;
	struct loop *loop = t->stream.loop;
	ssize_t n;

	if (t->io.in.data != NULL) /* the handshake left it */
		return true;
	if (t->pending.len > 0) {
		t->io.in = buf_slice(&t->pending);
		return true;
	}
	n = stream_read(t->stream.inner, loop->in, cap);
	if (n < 0)
		return false;
	t->io.in = slice_of(loop->in, (size_t)n);
	return true;
}

/* Or its end, found while paused. */
bool tls_records_decrypted_waits(const struct tls_stream *t)
{
	if (t->stopped != FILL_DRY)
		return true;
	return t->pending.len == 0 && t->ssl != NULL && SSL_pending(t->ssl) > 0;
}

/* There may be more than this turn had time for, or than this second has. */
static void read_on_later(struct tls_stream *t, bool behind)
{
	uint64_t delay_ms = tls_work_delay_ms(&t->io.work, tls_stream_now_ms(t));

	t->behind = behind;
	if (delay_ms > 0) {
		t->delayed = true;
		t->delay.fire = on_delay;
		executor_timer_arm(t->stream.executor, &t->delay, delay_ms);
	} else if (t->behind && (t->io.in.len > 0 || SSL_has_pending(t->ssl) != 0)) {
		loop_add_job(t->stream.loop, &t->job, t->proven ? LOOP_LATER : LOOP_UNPROVEN);
	}
}

void tls_records_on_readable(void *arg)
{
	struct tls_stream *t = tls_stream_of(arg);

	if (!tls_stream_reads(t)) {
		/* The transport broke, and the owner does not want what is left. */
		tls_records_abort(t, STREAM_END_RESET);
		return;
	}
	if (t->job.place != LOOP_NOT_QUEUED)
		return;
	if (!t->established) {
		loop_add_job(t->stream.loop, &t->job, LOOP_HANDSHAKE);
		tls_records_update_inner(t);
		return;
	}
	/* mutant: unproven_peers_share_a_turn */
	if (!t->proven) {
		loop_add_job(t->stream.loop, &t->job, LOOP_UNPROVEN);
		tls_records_save_rest(t); /* of the handshake */
		tls_records_update_inner(t);
		return;
	}
	tls_records_run(t);
}

/* Afterwards all ciphertext is used up or in `pending`, or the stream has moved. */
void tls_records_run(struct tls_stream *t)
{
	enum fill how = t->stopped == FILL_DRY ? FILL_MORE : t->stopped;
	size_t len;

	REQUIRE(tls_stream_reads(t) && t->established && t->job.place == LOOP_NOT_QUEUED);
	/* What OpenSSL holds comes first; the rest is still below. */
	if (!tls_records_decrypted_waits(t) && !tls_records_take(t))
		return;
	tls_work_turn(&t->io.work, tls_stream_now_ms(t));
	while (how == FILL_MORE && tls_stream_reads(t)) {
		how = fill_plain(t, &len);
		tls_records_send(t);
		REQUIRE(t->shared->out.len ==
		        0); /* its owner may be at work on another stream next */
		if (len > 0 && !stream_deliver(&t->stream, t->shared->plain, len))
			return;
		if (!check_work(t))
			break;
	}
	if (how == FILL_END || how == FILL_FAILED)
		input_stopped(t, how);
	else if (tls_stream_reads(t))
		read_on_later(t, how == FILL_LATER);
	tls_records_save_rest(t);
	tls_records_update_inner(t);
}

/* What is here already has its turn before more is read. */
void tls_records_go_on(struct tls_stream *t)
{
	if (tls_stream_reads(t) && t->job.place == LOOP_NOT_QUEUED &&
	    (t->pending.len > 0 || tls_records_decrypted_waits(t)))
		loop_add_job(t->stream.loop, &t->job, t->proven ? LOOP_READY : LOOP_UNPROVEN);
	tls_records_update_inner(t);
}
