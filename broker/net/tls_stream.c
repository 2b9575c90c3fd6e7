/* TLS between a socket and its owner.  OpenSSL works on memory: its BIO reads from what the loop
 * has just received (`in`), and writes into the loop's output buffer, which goes to the kernel
 * before any owner is called.  So an idle connection has no buffers of ours, and a wake-up is one
 * recv(), one on_bytes with everything decrypted, one send().  OpenSSL's state is made only when
 * the first bytes look like TLS: who says nothing, or speaks plain, costs next to nothing. */
#include "net/tls_stream.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "net/loop_internal.h"
#include "net/socket.h"
#include "net/tls_context_internal.h"
#include "net/tls_work.h"

/* An AES-GCM key is good for 2^24.5 full records (RFC 8446 5.5); half of that is enough. */
#define BYTES_PER_KEY ((uint64_t)1 << 37)
/* More output than this is given to the kernel before more is encrypted. */
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
	struct sock sock;
	struct tls_source *source; /* until the first bytes came */
	struct tls_context *ctx;   /* from then on: the one that was in force */
	SSL *ssl;                  /* NULL until the first bytes came */
	struct tls_hello *hello;   /* during the handshake */
	struct slice in;           /* ciphertext at hand: in the loop's buffer, or in `pending` */
	struct buf pending;        /* ciphertext kept while paused or on its way home */
	uint64_t sealed;           /* bytes written under the key in use */
	struct tls_work work;
	enum fill stopped; /* END or FAILED: the owner, who has paused, does not know yet */
	bool established;
	bool proven; /* a whole packet came */
	bool behind; /* its last turn was not enough */
	bool failed; /* OpenSSL must not be asked any more: no SSL_shutdown */
};

static struct tls_stream *tls_of(struct sock *s)
{
	return (struct tls_stream *)s; /* its first member */
}

static const struct tls_stream *tls_of_stream(const struct stream *stream)
{
	return (const struct tls_stream *)stream;
}

/* --- the BIO --- */

static int bio_read(BIO *bio, char *out, size_t cap, size_t *len)
{
	struct tls_stream *t = BIO_get_data(bio);
	size_t n = tls_work_take(&t->work, t->in, cap);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(out, t->in.data, n);
	t->in = slice_skip(t->in, n);
	*len = n;
	return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
	struct tls_stream *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_put(&t->sock.loop->out, bytes, len);
	*written = len;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
	(void)bio;
	(void)number;
	(void)arg;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vakt");
	REQUIRE(method != NULL);
	REQUIRE(BIO_meth_set_read_ex(method, bio_read) == 1);
	REQUIRE(BIO_meth_set_write_ex(method, bio_write) == 1);
	REQUIRE(BIO_meth_set_ctrl(method, bio_ctrl) == 1);
}

struct bio_st *tls_bio_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = BIO_new(method);
	if (bio != NULL)
		BIO_set_init(bio, 1);
	return bio;
}

void tls_bio_free(struct bio_st *bio)
{
	BIO_free(bio);
}

/* Nothing stays in a BIO of ours, so that all connections of a loop share one: this says whose it
 * is. Before anything that makes OpenSSL read or write. (The buffer that OpenSSL puts before it
 * during a handshake knows of it, and not the other way round.) */
static void work_on(struct tls_stream *t)
{
	BIO_set_data(t->sock.loop->bio, t);
	ERR_clear_error();
}

static void use_bio_of_loop(struct tls_stream *t)
{
	BIO *bio = t->sock.loop->bio;

	REQUIRE(BIO_up_ref(bio) == 1);
	SSL_set_bio(t->ssl, bio, bio);
}

struct tls_work *tls_stream_work(SSL *ssl)
{
	struct tls_stream *t = BIO_get_data(SSL_get_rbio(ssl));

	return &t->work;
}

struct tls_hello *tls_stream_hello(SSL *ssl)
{
	struct tls_stream *t = BIO_get_data(SSL_get_rbio(ssl));

	return t->hello;
}

/* --- output --- */

static void send_out(struct tls_stream *t)
{
	struct buf *out = &t->sock.loop->out;

	sock_send(&t->sock, buf_slice(out));
	if (out->cap > 2 * OUT_BYTES_MAX)
		buf_fini(out);
	else
		buf_clear(out);
}

static struct tls_report report_of(struct tls_stream *t)
{
	return (struct tls_report){
	    .peer = &t->sock.peer, .ctx = t->ctx, .hello = t->hello, .ssl = t->ssl};
}

/* The alert that OpenSSL made goes out still. */
static void fail(struct tls_stream *t)
{
	struct tls_report report = report_of(t);

	report.failure = tls_explain(t->ssl);
	t->failed = true;
	if (t->established)
		tls_log_broken(&report, t->sock.loop->executor->now_ms);
	else
		tls_log_handshake_failed(&report, t->sock.loop->executor->now_ms);
	send_out(t);
	sock_close(&t->sock, STREAM_END_TLS, ALERT_FLUSH_MS);
}

/* It made work and moved nothing. */
static void fail_for_excess(struct tls_stream *t, const struct tls_excess *excess)
{
	struct tls_report report = report_of(t);

	t->failed = true;
	tls_log_excess(&report, excess, t->sock.loop->executor->now_ms);
	sock_end(&t->sock, STREAM_END_TLS); /* nothing is owed to it: no alert, no lingering */
}

/* TLS 1.3 takes a new key in passing; TLS 1.2 could only renegotiate, which is off: the client
 * comes again. */
static void renew_key(struct tls_stream *t)
{
	t->sealed = 0;
	if (SSL_version(t->ssl) >= TLS1_3_VERSION)
		(void)SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	else
		sock_close(&t->sock, STREAM_END_TLS, ALERT_FLUSH_MS);
}

static void op_write(struct stream *stream, struct slice bytes)
{
	struct tls_stream *t = (struct tls_stream *)stream;

	if (!t->established || t->failed || t->sock.broken || t->sock.state != SOCK_OPEN)
		return;
	t->sealed += bytes.len;
	while (bytes.len > 0 && t->sock.state == SOCK_OPEN) {
		size_t n = bytes.len < OUT_BYTES_MAX ? bytes.len : OUT_BYTES_MAX;

		work_on(t);
		if (SSL_write_ex(t->ssl, bytes.data, n, &n) != 1) {
			fail(t);
			return;
		}
		bytes = slice_skip(bytes, n);
		if (t->sock.loop->out.len >= OUT_BYTES_MAX || bytes.len == 0)
			send_out(t);
	}
	if (t->sealed >= BYTES_PER_KEY && t->sock.state == SOCK_OPEN)
		renew_key(t);
}

/* --- input --- */

static enum fill fill_stopped(struct tls_stream *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return t->in.len > 0 ? FILL_LATER : FILL_DRY;
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
	struct loop *loop = t->sock.loop;
	size_t n;

	*len = 0;
	while (*len < sizeof(loop->plain)) {
		int result;

		if (!tls_work_begin(&t->work))
			return FILL_LATER;
		work_on(t);
		n = 0;
		result = SSL_read_ex(t->ssl, loop->plain + *len, sizeof(loop->plain) - *len, &n);
		tls_work_end(&t->work, n);
		if (result != 1)
			return fill_stopped(t, result);
		*len += n;
		if (t->in.len == 0 && SSL_has_pending(t->ssl) == 0)
			return FILL_DRY;
	}
	return FILL_MORE;
}

/* What is unread goes to `pending`, or stays there. Outside of a read there is no input at hand. */
static void keep_rest(struct tls_stream *t)
{
	if (t->in.data == NULL)
		return;
	if (t->pending.len == 0)
		buf_put_slice(&t->pending, t->in);
	else
		buf_consume(&t->pending, t->pending.len - t->in.len);
	if (t->pending.len == 0)
		buf_fini(&t->pending);
	t->in = SLICE_EMPTY;
}

static void input_stopped(struct tls_stream *t, enum fill how)
{
	t->in = SLICE_EMPTY;
	buf_fini(&t->pending);
	t->stopped = how;
	if (!sock_reads(&t->sock))
		return; /* told when it is resumed */
	if (how == FILL_FAILED)
		fail(t);
	else
		sock_close(&t->sock, STREAM_END_PEER, 0);
}

/* True: the stream is still ours. */
static bool hand_over(struct tls_stream *t, size_t len)
{
	struct loop *loop = t->sock.loop;
	bool may_be_secret = !t->proven; /* the first packet has the password */

	sock_call_begin(&t->sock);
	t->sock.stream.events->on_bytes(t->sock.stream.arg, slice_of(loop->plain, len));
	/* mutant: password_in_decrypted_buffer */
	if (may_be_secret) /* t may be another thread's by now */
		crypto_wipe(loop->plain, len);
	return sock_call_done(loop, &t->sock);
}

/* After what the owner was given: false where the peer makes too much work. */
static bool check_work(struct tls_stream *t)
{
	struct tls_excess excess;

	if (t->sock.stream.moved) {
		t->sock.stream.moved = false;
		if (!t->proven)
			SSL_clear_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
		t->proven = true;
		tls_work_moved(&t->work);
	}
	excess = tls_work_excess(&t->work);
	if (excess.counted == NULL)
		return true;
	if (t->sock.state == SOCK_OPEN)
		fail_for_excess(t, &excess);
	return false;
}

/* There may be more than this turn had time for, or than this second has. */
static void go_on_later(struct tls_stream *t, enum fill how)
{
	uint64_t delay_ms = tls_work_delay_ms(&t->work, t->sock.loop->executor->now_ms);

	t->behind = how == FILL_LATER;
	if (delay_ms > 0)
		sock_delay(&t->sock, delay_ms);
	else if (t->behind && (t->in.len > 0 || SSL_has_pending(t->ssl) != 0))
		sock_queue(&t->sock, PLACE_LATER);
}

/* After it all ciphertext is used up, or kept, or the stream is gone. */
static void feed(struct tls_stream *t)
{
	enum fill how = t->stopped == FILL_DRY ? FILL_MORE : t->stopped;
	size_t len;

	tls_work_turn(&t->work, t->sock.loop->executor->now_ms);
	while (how == FILL_MORE && sock_reads(&t->sock)) {
		how = fill_plain(t, &len);
		send_out(t);
		if (len > 0 && !hand_over(t, len))
			return;
		if (!check_work(t))
			break;
	}
	if (how == FILL_END || how == FILL_FAILED)
		input_stopped(t, how);
	else if (sock_reads(&t->sock))
		go_on_later(t, how);
	keep_rest(t);
	if (t->sock.state == SOCK_OPEN)
		sock_update(&t->sock);
}

static size_t read_size(const struct tls_stream *t)
{
	return t->proven && !t->behind ? LOOP_READ_BYTES : CAREFUL_READ_BYTES;
}

/* Ciphertext at hand: what was kept, else what the kernel has. False: the stream has ended. */
static bool take_input(struct tls_stream *t)
{
	struct loop *loop = t->sock.loop;
	ssize_t n;

	if (t->pending.len > 0) {
		t->in = buf_slice(&t->pending);
		return true;
	}
	n = sock_recv(&t->sock, loop->in, read_size(t));
	if (n < 0)
		return false;
	t->in = slice_of(loop->in, (size_t)n);
	return true;
}

/* --- handshake --- */

static void refuse_plaintext(struct tls_stream *t)
{
	tls_log_plaintext(&t->sock.peer, t->ctx, tls_explain_plaintext(t->in),
	                  t->sock.loop->executor->now_ms);
	t->in = SLICE_EMPTY;
	t->failed = true;
	sock_close(&t->sock, STREAM_END_TLS, 0);
}

/* Somebody who connects and goes says nothing worth a line; who goes after we showed our
 * certificate does. */
static void gone_in_handshake(struct tls_stream *t)
{
	struct tls_report report = report_of(t);

	if (t->hello == NULL || !t->hello->seen)
		return;
	report.failure.cause = "the client closed the connection in the middle of the handshake; "
			       "clients that do not trust our certificate often do so";
	tls_log_handshake_failed(&report, t->sock.loop->executor->now_ms);
}

/* False: it ends here. */
static bool begin(struct tls_stream *t)
{
	t->ctx = tls_source_context(t->source);
	tls_source_unref(&t->source);
	if (t->ctx == NULL) { /* the listener is closed */
		t->in = SLICE_EMPTY;
		sock_close(&t->sock, STREAM_END_TLS, 0);
		return false;
	}
	if (!tls_looks_like_tls(t->in)) {
		refuse_plaintext(t);
		return false;
	}
	t->ssl = SSL_new(t->ctx->groups[0].ssl_ctx);
	if (t->ssl == NULL) { /* OpenSSL's memory is out */
		fail(t);
		return false;
	}
	use_bio_of_loop(t);
	SSL_set_accept_state(t->ssl);
	SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT); /* until the first packet is whole */
	t->hello = xnew(t->hello);
	return true;
}

static void tell_stage(struct tls_stream *t, enum stream_stage stage)
{
	/* mutant: half_open_sees_handshake */
	if (t->sock.stream.events->on_stage != NULL)
		t->sock.stream.events->on_stage(t->sock.stream.arg, stage);
}

static void established(struct tls_stream *t)
{
	t->established = true;
	tell_stage(t, STREAM_STAGE_DONE);
	SSL_set_msg_callback(t->ssl, NULL);
	free(t->hello);
	t->hello = NULL;
	feed(t);
}

/* It wants more bytes, or has had its share of the turn. */
static void shake_on(struct tls_stream *t)
{
	struct tls_excess excess = tls_work_handshake_excess(&t->work);

	if (t->sock.state != SOCK_OPEN)
		return;
	if (excess.counted != NULL) {
		t->in = SLICE_EMPTY;
		fail_for_excess(t, &excess);
		return;
	}
	if (t->in.len > 0)
		sock_queue(&t->sock, PLACE_HANDSHAKES);
	keep_rest(t);
	sock_update(&t->sock);
}

static void handshake_failed(struct tls_stream *t)
{
	struct tls_excess excess = tls_work_handshake_excess(&t->work);

	t->in = SLICE_EMPTY;
	if (excess.counted != NULL)
		fail_for_excess(t, &excess);
	else
		fail(t);
}

static void on_handshake(struct sock *s)
{
	struct tls_stream *t = tls_of(s);
	int result;

	if (!take_input(t)) {
		gone_in_handshake(t);
		return;
	}
	if (t->in.len > 0 && t->ssl == NULL && !begin(t))
		return;
	if (t->ssl == NULL) {
		sock_update(s);
		return;
	}
	work_on(t);
	tls_work_begin_handshake(&t->work);
	result = SSL_do_handshake(t->ssl);
	if (t->hello->seen && !t->work.hello_seen)
		tell_stage(t, STREAM_STAGE_HELLO);
	tls_work_end_handshake(&t->work, t->hello->seen);
	if (result != 1 && SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ) {
		handshake_failed(t);
		return;
	}
	send_out(t);
	if (result == 1)
		established(t);
	else
		shake_on(t);
}

/* --- the layer and the stream --- */

/* Or its end, found while paused. */
static bool decrypted_waits(const struct tls_stream *t)
{
	if (t->stopped != FILL_DRY)
		return true;
	return t->pending.len == 0 && SSL_pending(t->ssl) > 0;
}

static void on_readable(struct sock *s)
{
	struct tls_stream *t = tls_of(s);

	if (!t->established) {
		sock_queue(s, PLACE_HANDSHAKES);
		return;
	}
	/* What OpenSSL holds comes first; the rest is still in the kernel. */
	if (decrypted_waits(t) || take_input(t))
		feed(t);
}

static bool has_more(struct sock *s)
{
	struct tls_stream *t = tls_of(s);

	return t->pending.len > 0 || (t->ssl != NULL && decrypted_waits(t));
}

static void on_keep_rest(struct sock *s)
{
	keep_rest(tls_of(s));
}

/* close_notify: once, and only where both sides still understand each other. */
static void goodbye(struct sock *s)
{
	struct tls_stream *t = tls_of(s);

	if (!t->established || t->failed || s->broken)
		return;
	t->failed = true;
	work_on(t);
	(void)SSL_shutdown(t->ssl);
	send_out(t);
}

static void free_it(struct sock *s)
{
	struct tls_stream *t = tls_of(s);

	SSL_free(t->ssl);
	tls_source_unref(&t->source);
	tls_context_unref(&t->ctx);
	free(t->hello);
	buf_fini(&t->pending);
	free(t);
}

static const struct sock_layer layer = {
    .readable = on_readable,
    .handshake = on_handshake,
    .has_more = has_more,
    .keep_rest = on_keep_rest,
    .goodbye = goodbye,
    .free = free_it,
};

static const char *op_tls_version(const struct stream *stream)
{
	const struct tls_stream *t = tls_of_stream(stream);

	return t->established ? SSL_get_version(t->ssl) : "none";
}

/* The session of a resumed connection was verified anew before it was taken (tls_tickets.c). */
static X509 *certificate_of(const struct stream *stream)
{
	const struct tls_stream *t = tls_of_stream(stream);

	if (!t->established || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return NULL;
	return SSL_get0_peer_certificate(t->ssl);
}

static bool op_has_certificate(const struct stream *stream)
{
	return certificate_of(stream) != NULL;
}

static size_t op_certificate_names(const struct stream *stream, enum conf_certificate_user kind,
                                   struct buf *out)
{
	X509 *certificate = certificate_of(stream);

	return certificate == NULL ? 0 : tls_certificate_names(certificate, kind, out);
}

/* Verified by the same CAs and CRL before: only the dates may have come to an end. */
static bool verified_alike(const struct tls_stream *t, const struct tls_context *ctx)
{
	STACK_OF(X509) *verified = SSL_get0_verified_chain(t->ssl);

	return memcmp(t->ctx->trust, ctx->trust, sizeof(ctx->trust)) == 0 && verified != NULL &&
	       tls_client_in_date(verified);
}

/* Where no certificates are asked for any more, one that was given counts as none. */
static bool certificate_fits(const struct stream *stream, const struct tls_context *ctx,
                             bool connected, const char **why)
{
	const struct tls_stream *t = tls_of_stream(stream);
	X509 *certificate = certificate_of(stream);

	if (ctx->client_certificates == CLIENT_CERTIFICATES_NONE)
		return true;
	if (certificate == NULL) {
		*why = "a client certificate is required now";
		return ctx->client_certificates != CLIENT_CERTIFICATES_REQUIRED;
	}
	return verified_alike(t, ctx) ||
	       tls_client_still_good(ctx, certificate, SSL_get_peer_cert_chain(t->ssl), connected,
	                             why);
}

static enum stream_fit op_fits(const struct stream *stream, const struct tls_context *ctx,
                               bool connected, const char **why)
{
	const struct tls_stream *t = tls_of_stream(stream);

	if (!t->established)
		return STREAM_NOT_READY;
	if (ctx->min_version == 13 && SSL_version(t->ssl) < TLS1_3_VERSION) {
		*why = "the TLS version is below tls.min_version now";
		/* mutant: min_version_on_reload */
		return STREAM_VERSION_TOO_OLD;
	}
	return certificate_fits(stream, ctx, connected, why) ? STREAM_FITS : STREAM_CERTIFICATE_BAD;
}

static void op_attach(struct stream *stream, struct loop *loop)
{
	struct tls_stream *t = (struct tls_stream *)stream;

	sock_op_attach(stream, loop);
	if (t->ssl != NULL)
		use_bio_of_loop(t);
}

static const struct stream_ops ops = {
    .write = op_write,
    .backlog = sock_op_backlog,
    .pause = sock_op_pause,
    .resume = sock_op_resume,
    .close = sock_op_close,
    .abort = sock_op_abort,
    .detach = sock_op_detach,
    .attach = op_attach,
    .discard = sock_op_discard,
    .peer_text = sock_op_peer_text,
    .peer_key = sock_op_peer_key,
    .tls_version = op_tls_version,
    .certificate_names = op_certificate_names,
    .has_certificate = op_has_certificate,
    .fits = op_fits,
};

struct stream *tls_stream_new(int fd, unsigned listener, const struct sockaddr *peer,
                              struct tls_source *source)
{
	struct tls_stream *t = xnew(t);

	sock_init(&t->sock, &ops, &layer, fd, listener);
	t->sock.peer = peer_of_address(peer);
	t->source = tls_source_ref(source);
	return &t->sock.stream;
}
