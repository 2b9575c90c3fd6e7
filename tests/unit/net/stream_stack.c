#include "stream_stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "net/loop_internal.h"
#include "net/socket_stream.h"
#include "net/tls/tls_source.h"
#include "net/tls/tls_stream.h"
#include "support/masked_stream.h"
#include "websocket/websocket_frame.h"
#include "websocket/websocket_stream.h"

#define TRIES_MAX   600000
#define SLEEP_AFTER 200

static const struct {
	const char *name;
	bool is_memory, has_tls;
} kinds[STACK_KINDS] = {
    [STACK_SOCKET] = {"socket", false, false},
    [STACK_UNIX] = {"Unix socket", false, false},
    [STACK_MEMORY] = {"memory", true, false},
    [STACK_TLS_SOCKET] = {"TLS over socket", false, true},
    [STACK_TLS_MEMORY] = {"TLS over memory", true, true},
    [STACK_MASKED_TLS] = {"masked over TLS over socket", false, true},
    [STACK_WEBSOCKET] = {"WebSocket over TLS over socket", false, true},
};

/* The stack that tests each protocol of a listener; one without does not compile. */
#define STACK_OF_MQTT  STACK_TLS_SOCKET
#define STACK_OF_HTTPS STACK_WEBSOCKET
enum {
#define PROTOCOL(id, name, wrap) TESTED_##id = STACK_OF_##id,
#include "conf/protocols.def"
#undef PROTOCOL
};

const char *stack_name(enum stack_kind kind)
{
	return kinds[kind].name;
}

/* --- the owner --- */

static void on_bytes(void *arg, struct slice bytes)
{
	struct stack *s = arg;

	assert_true(s->closed == 0 && s->stream->executor == executor_current());
	buf_put_slice(&s->got, bytes);
	stream_note_packet(s->stream);
	if (s->on_bytes != NULL)
		s->on_bytes(s);
}

static void on_drained(void *arg)
{
	struct stack *s = arg;

	s->drained++;
}

static void on_closed(void *arg, enum stream_end end)
{
	struct stack *s = arg;

	assert_ptr_equal(executor_current(), &s->executors[s->at]);
	s->closed++;
	s->end = end;
}

static const struct stream_events events = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

void stack_enter(struct stack *s)
{
	executor_enter(&s->executors[s->at]);
}

void stack_leave(void)
{
	executor_leave();
}

void stack_write(struct stack *s, struct slice bytes)
{
	stack_enter(s);
	stream_write(s->stream, bytes);
	stack_leave();
}

void stack_attach(struct stack *s, unsigned loop)
{
	s->at = loop;
	stack_enter(s);
	stream_attach(s->stream, s->loops[loop], &events, s);
	stack_leave();
}

/* --- the far end --- */

static void send_raw(struct stack *s)
{
	if (s->raw.len == 0)
		return;
	if (s->peer != NULL) {
		memory_send(s->peer, buf_slice(&s->raw));
		buf_clear(&s->raw);
	} else if (s->fd >= 0) {
		ssize_t n = send(s->fd, s->raw.data, s->raw.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			buf_consume(&s->raw, (size_t)n);
	}
}

static size_t receive_raw(struct stack *s, uint8_t *out, size_t cap)
{
	struct buf *from = s->peer == NULL ? NULL : memory_received(s->peer);
	ssize_t n;

	if (s->far_stalled)
		return 0;
	if (from != NULL) {
		size_t len = from->len < cap ? from->len : cap;

		if (len > 0)
			memcpy(out, from->data, len);
		buf_consume(from, len);
		s->far_ended = s->far_ended || (from->len == 0 && memory_is_closed(s->peer));
		return len;
	}
	if (s->fd < 0)
		return 0;
	n = recv(s->fd, out, cap, MSG_DONTWAIT);
	s->far_ended = s->far_ended || n == 0 || (n < 0 && errno == ECONNRESET);
	return n > 0 ? (size_t)n : 0;
}

static void take_from_ssl(struct stack *s)
{
	BIO *out = SSL_get_wbio(s->ssl);
	uint8_t bytes[16384];
	int n;

	while ((n = BIO_read(out, bytes, sizeof(bytes))) > 0)
		buf_put(&s->raw, bytes, (size_t)n);
}

static void take_frames(struct stack *s);

static void decrypt(struct stack *s, const uint8_t *bytes, size_t len)
{
	uint8_t plain[16384];
	size_t n;

	if (len > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(s->ssl), bytes, (int)len), len);
	if (!SSL_is_init_finished(s->ssl))
		(void)SSL_do_handshake(s->ssl);
	while (SSL_is_init_finished(s->ssl) && SSL_read_ex(s->ssl, plain, sizeof(plain), &n) == 1)
		buf_put(s->kind == STACK_WEBSOCKET ? &s->far_frames : &s->far_got, plain, n);
	if (s->kind == STACK_WEBSOCKET)
		take_frames(s);
	take_from_ssl(s);
}

/* --- WebSocket at the far end --- */

static void put_masked_frame(struct buf *out, uint8_t first, struct slice payload)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t head[WEBSOCKET_HEAD_MAX];
	size_t len = websocket_put_head(head, WEBSOCKET_OP_BINARY, payload.len);

	head[0] = first;
	head[1] |= 0x80;
	buf_put(out, head, len);
	buf_put(out, mask, sizeof(mask));
	for (size_t i = 0; i < payload.len; i++)
		buf_put_u8(out, payload.data[i] ^ mask[i % 4]);
}

/* Whole messages and fragmented ones, short and long frames. */
static void put_frames(struct buf *out, struct slice bytes)
{
	static const size_t sizes[] = {1, 2, 3, 126, 5000, 7, 65536, 125, 127, 1};
	bool in_message = false;

	for (size_t i = 0; bytes.len > 0; i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)] < bytes.len ? sizes[i % ARRAY_LEN(sizes)]
		                                                   : bytes.len;
		bool fin = i % 3 == 0 || n == bytes.len;

		put_masked_frame(out, (uint8_t)((fin ? 0x80 : 0) | (in_message ? 0x0 : 0x2)),
		                 slice_of(bytes.data, n));
		in_message = !fin;
		bytes = slice_skip(bytes, n);
		if (i % 4 == 1)
			put_masked_frame(out, 0x8a, SLICE("pong"));
	}
}

/* A server's frames are whole, and not masked. */
static void take_frames(struct stack *s)
{
	for (;;) {
		struct reader r = reader_of(buf_slice(&s->far_frames));
		uint8_t first = read_u8(&r), second = read_u8(&r);
		uint64_t len = second == 126 ? read_u16(&r) : second == 127 ? read_u64(&r) : second;
		struct slice payload = read_bytes(&r, (size_t)len);

		if (r.bad)
			return;
		assert_true(first == 0x82 || first == 0x88 || first == 0x8a);
		assert_int_equal(s->far_close_code, 0); /* nothing follows a Close */
		if (first == 0x82)
			buf_put_slice(&s->far_got, payload);
		else if (first == 0x8a)
			s->far_pongs++;
		else
			s->far_close_code =
			    payload.len == 0 ? 1005
					     : (unsigned)(payload.data[0] << 8 | payload.data[1]);
		buf_consume(&s->far_frames, s->far_frames.len - reader_left(&r));
	}
}

static void run_far_end(struct stack *s)
{
	uint8_t bytes[65536];
	size_t n = receive_raw(s, bytes, sizeof(bytes)), before = s->far_got.len;

	if (s->ssl != NULL)
		decrypt(s, bytes, n);
	else
		buf_put(&s->far_got, bytes, n);
	if (s->kind == STACK_MASKED_TLS && s->far_got.len > before)
		masked_stream_change(s->far_got.data + before, s->far_got.len - before);
	send_raw(s);
}

static void send_plain(struct stack *s, const struct buf *out)
{
	size_t n;

	if (s->ssl == NULL) {
		buf_put_slice(&s->raw, buf_slice(out));
	} else {
		assert_int_equal(SSL_write_ex(s->ssl, out->data, out->len, &n), 1);
		take_from_ssl(s);
	}
	send_raw(s);
}

void stack_far_send(struct stack *s, struct slice bytes)
{
	struct buf out = {0};

	if (s->kind == STACK_WEBSOCKET)
		put_frames(&out, bytes);
	else
		buf_put_slice(&out, bytes);
	if (s->kind == STACK_MASKED_TLS)
		masked_stream_change(out.data, out.len);
	send_plain(s, &out);
	buf_fini(&out);
}

void stack_far_frame(struct stack *s, uint8_t first, struct slice payload)
{
	struct buf out = {0};

	put_masked_frame(&out, first, payload);
	send_plain(s, &out);
	buf_fini(&out);
}

void stack_far_stall(struct stack *s, bool stalled)
{
	s->far_stalled = stalled;
	if (s->peer != NULL)
		memory_stall(s->peer, stalled);
}

void stack_far_end(struct stack *s, enum stream_end end)
{
	struct linger reset = {.l_onoff = 1};

	if (s->ssl != NULL && end == STREAM_END_PEER) {
		(void)SSL_shutdown(s->ssl);
		take_from_ssl(s);
		send_raw(s);
	}
	if (s->peer != NULL) {
		memory_send_end(s->peer, end);
	} else if (end == STREAM_END_PEER) {
		assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
	} else {
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(s->fd);
		s->fd = -1;
	}
}

/* --- steps --- */

void stack_step(struct stack *s)
{
	for (unsigned i = 0; i < 2; i++) {
		executor_enter(&s->executors[i]);
		executor_update_now(&s->executors[i]);
		if (s->peer != NULL)
			(void)memory_run(s->peer, 65536);
		uv_run(&s->loops[i]->uv, UV_RUN_NOWAIT);
		executor_leave();
	}
	run_far_end(s);
}

void stack_wait(unsigned tries, const char *condition)
{
	if (tries > SLEEP_AFTER)
		usleep(100);
	if (tries > TRIES_MAX)
		fail_msg("not reached: %s", condition);
}

void stack_settle(struct stack *s)
{
	for (int i = 0; i < 20; i++)
		stack_step(s);
}

/* --- open and close --- */

static int connect_tcp(int *accepted)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	socklen_t len = sizeof(to);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	*accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*accepted >= 0);
	close(listening);
	return fd;
}

static struct stream *open_transport(struct stack *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7)};
	struct peer_address peer;
	int pair[2];

	s->fd = -1;
	if (kinds[s->kind].is_memory)
		return memory_stream_new(7, "far end", NULL, &s->peer);
	if (s->kind == STACK_UNIX) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		s->fd = pair[0];
		peer = peer_address_from_unix(pair[1]);
		assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
		return socket_stream_new(pair[1], &peer, 7);
	}
	s->fd = connect_tcp(&pair[1]);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer = peer_address_from_sockaddr((struct sockaddr *)&address);
	return socket_stream_new(pair[1], &peer, 7);
}

static void start_tls(struct stack *s, const struct tls_server *server)
{
	struct tls_context *context = tls_server_context(server);
	struct tls_source *source = tls_source_new(context);

	s->stream = tls_stream_new(s->stream, source);
	tls_source_unref(&source);
	tls_context_unref(&context);
	s->ssl_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_load_verify_file(s->ssl_ctx, server->ca_file), 1);
	SSL_CTX_set_verify(s->ssl_ctx, SSL_VERIFY_PEER, NULL);
	s->ssl = SSL_new(s->ssl_ctx);
	SSL_set_bio(s->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(s->ssl);
}

void stack_open(struct stack *s, enum stack_kind kind, const struct tls_server *server)
{
	int error;

	*s = (struct stack){.kind = kind};
	for (unsigned i = 0; i < 2; i++) {
		executor_init(&s->executors[i], i, NULL, NULL);
		s->loops[i] = loop_new(&s->executors[i], &error);
		assert_non_null(s->loops[i]);
	}
	s->stream = open_transport(s);
	if (kinds[kind].has_tls)
		start_tls(s, server);
	if (kind == STACK_MASKED_TLS)
		s->stream = masked_stream_new(s->stream);
	if (kind == STACK_WEBSOCKET)
		s->stream = websocket_stream_new(s->stream);
	assert_int_equal(stream_is_established(s->stream), !kinds[kind].has_tls);
	stack_attach(s, 0);
	stack_until(s, stream_is_established(s->stream) &&
	                   (s->ssl == NULL || SSL_is_init_finished(s->ssl)));
	stack_settle(s); /* tickets */
}

void stack_close(struct stack *s)
{
	if (s->stream != NULL && s->closed == 0) {
		stack_enter(s);
		stream_abort(s->stream);
		stack_leave();
		stack_until(s, s->closed > 0);
	}
	assert_in_range(s->closed, 0, 1);
	memory_peer_free(s->peer);
	if (s->fd >= 0)
		close(s->fd);
	SSL_free(s->ssl);
	SSL_CTX_free(s->ssl_ctx);
	for (unsigned i = 0; i < 2; i++) {
		loop_free(s->loops[i]);
		executor_fini(&s->executors[i]);
	}
	buf_fini(&s->got);
	buf_fini(&s->far_got);
	buf_fini(&s->far_frames);
	buf_fini(&s->raw);
}
