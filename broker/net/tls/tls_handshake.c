/* The handshake of a TLS stream: from the first bytes to the first that are its owner's. */
#include "net/tls/tls_handshake.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "net/loop.h"
#include "net/loop_internal.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_hello.h"
#include "net/tls/tls_log.h"
#include "net/tls/tls_peer.h"
#include "net/tls/tls_records.h"
#include "net/tls/tls_source.h"

/* A client that connects and closes is not worth a line in the log; one that closes after it got
 * the certificate is. */
static void log_gone(struct tls_stream *t)
{
	struct tls_report report = tls_records_report(t);

	if (t->io.hello == NULL || !t->io.hello->seen)
		return;
	tls_counts_add(&t->stream.loop->tls_counts.refused[TLS_REFUSAL_GONE]);
	report.failure.cause = "the client closed the connection during the handshake; clients "
			       "that do not trust the broker's certificate often do this";
	report.failure.by_client = true;
	tls_log_handshake_failed(&report, tls_stream_now_ms(t));
}

/* False: the stream has been closed. */
static bool start_handshake(struct tls_stream *t)
{
	t->ctx = tls_source_context(t->source);
	tls_source_unref(&t->source);
	/* NULL: the listener is closed */
	if (t->ctx == NULL || !tls_log_is_tls(t->io.in)) {
		if (t->ctx != NULL)
			tls_counts_add(&t->stream.loop->tls_counts.refused[TLS_REFUSAL_PLAINTEXT]);
		if (t->ctx != NULL)
			tls_log_plaintext(&t->stream.facts->peer, t->ctx,
			                  tls_log_plaintext_cause(t->ctx, t->io.in),
			                  tls_stream_now_ms(t));
		t->io.in = SLICE_EMPTY;
		tls_records_close(t, STREAM_END_TLS, 0);
		return false;
	}
	t->ssl = SSL_new(t->ctx->groups[0].ssl_ctx);
	if (t->ssl == NULL) { /* OpenSSL has no memory */
		tls_records_fail(t);
		return false;
	}
	tls_io_attach(t->shared, t->ssl);
	SSL_set_accept_state(t->ssl);
	SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT); /* until the first packet is whole */
	t->io.hello = xnew(t->io.hello);
	t->io.hello->since_ns = clock_monotonic_ns();
	return true;
}

static void count_done(const struct tls_stream *t)
{
	bool is_13 = SSL_version(t->ssl) == TLS1_3_VERSION;
	bool is_resumed = SSL_session_reused(t->ssl) == 1;

	tls_counts_add(&t->stream.loop->tls_counts.done[is_13][is_resumed]);
	latency_count(t->stream.loop->tls_counts.seconds,
	              (clock_monotonic_ns() - t->io.hello->since_ns + 50000) / 100000);
}

static void finish_handshake(struct tls_stream *t)
{
	count_done(t);
	t->established = true;
	tls_peer_init(t);
	t->stream.facts->established = true;
	t->stream.facts->tls = &t->peer;
	stream_call_stage(&t->stream, STREAM_STAGE_DONE);
	SSL_set_msg_callback(t->ssl, NULL);
	free(t->io.hello);
	t->io.hello = NULL;
	if (tls_stream_reads(t)) {
		tls_records_on_readable(&t->stream);
	} else {
		tls_records_save_rest(t);
		tls_records_update_inner(t);
	}
}

/* A step of it. Afterwards it needs more bytes, or had its share of the turn, or is done. */
void tls_handshake_run(struct tls_stream *t)
{
	struct tls_excess excess;
	bool failed;
	int result;

	REQUIRE(!t->established && !t->closed);
	if (!tls_records_take(t)) {
		log_gone(t);
		return;
	}
	if (t->io.in.len > 0 && t->ssl == NULL && !start_handshake(t))
		return;
	if (t->ssl == NULL) {
		tls_records_update_inner(t);
		return;
	}
	tls_io_select(t->shared, &t->io);
	tls_work_begin_handshake(&t->io.work);
	result = SSL_do_handshake(t->ssl);
	if (t->io.hello->seen && !t->io.work.hello_seen)
		stream_call_stage(&t->stream, STREAM_STAGE_HELLO);
	tls_work_end_handshake(&t->io.work, t->io.hello->seen);
	failed = result != 1 && SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ;
	if (!failed)
		tls_records_send(t);
	if (result == 1) {
		finish_handshake(t);
		return;
	}
	REQUIRE(!t->closed);
	excess = tls_work_handshake_excess(&t->io.work);
	if (failed || excess.counted != NULL) {
		t->io.in = SLICE_EMPTY;
		if (excess.counted != NULL)
			tls_records_fail_for_excess(t, &excess);
		else
			tls_records_fail(t);
		return;
	}
	if (t->io.in.len > 0)
		loop_add_job(t->stream.loop, &t->job, LOOP_HANDSHAKE);
	tls_records_save_rest(t);
	tls_records_update_inner(t);
}
