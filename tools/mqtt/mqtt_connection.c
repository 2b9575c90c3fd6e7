/* uv_poll on a socket, OpenSSL above it.  A connection that ends closes its handles first, and says
 * so (on_lost) when libuv has let go of them: from then on everything can be used again. */
#include "mqtt/mqtt_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/require.h"
#include "base/utf8.h"
#include "mqtt/mqtt_dial.h"
#include "proto/reason.h"

#define READ_BYTES            ((size_t)65536)
#define READS_MAX             16 /* then the others are asked */
#define WRITE_BYTES_MAX       ((size_t)1 << 30)
#define IDLE_BYTES_MAX        16384u
#define CONNECT_TIMEOUT_MS    30000u
#define NEXT_ADDRESS_AFTER_MS 5000u
#define ENDING_MS             5000u
#define RETRY_MAX_MS          60000u

enum handle {
	HANDLE_POLL = 1,
	HANDLE_TIMER = 2,
};

static void dial(struct mqtt_connection *c);
static void shut(struct mqtt_connection *c);
static void on_timer(uv_timer_t *timer);

/* ---- the end ---- */

static struct buf *words_of(struct mqtt_connection *c)
{
	if (c->attempt == NULL)
		c->attempt = mqtt_attempt_new(c);
	return &c->attempt->words;
}

/* The words were put. In the middle of events it takes effect after them. */
static void end(struct mqtt_connection *c, enum mqtt_loss_kind kind, enum reason reason)
{
	if (c->has_ended)
		return;
	(void)words_of(c);
	c->has_ended = true;
	c->attempt->loss = (struct mqtt_loss){
	    .kind = c->stopping ? MQTT_LOSS_OURS : kind,
	    .reason = reason,
	    .was_open = c->was_open,
	};
	if (!c->in_events)
		shut(c);
}

static void end_with(struct mqtt_connection *c, enum mqtt_loss_kind kind, const char *words)
{
	buf_printf(words_of(c), "%s", words);
	end(c, kind, REASON_SUCCESS);
}

static void init_timer(struct mqtt_connection *c)
{
	(void)uv_timer_init(c->loop, &c->timer);
	c->timer.data = c;
	c->handles |= HANDLE_TIMER;
}

/* The next pause: twice the last one; up to a half of it is added, so that clients that were lost
 * together do not come back together. */
static uint64_t next_wait(struct mqtt_connection *c)
{
	const struct mqtt_endpoint *e = c->endpoint;
	uint64_t max = e->retry_max_ms == 0 ? RETRY_MAX_MS : e->retry_max_ms, chance;

	REQUIRE(e->retry_min_ms > 0);
	c->wait_ms = c->wait_ms == 0 ? e->retry_min_ms : c->wait_ms * 2;
	if (c->wait_ms > max)
		c->wait_ms = max;
	random_bytes(&chance, sizeof(chance));
	return c->wait_ms + chance % (c->wait_ms / 2 + 1);
}

static void finish(struct mqtt_connection *c)
{
	struct mqtt_attempt *a = c->attempt;

	REQUIRE(a != NULL && c->fd < 0 && c->handles == 0);
	c->attempt = NULL;
	c->has_ended = c->was_open = false;
	c->stage = MQTT_STAGE_IDLE;
	if (!c->stopping && c->endpoint->retry_min_ms > 0) {
		a->loss.retry_ms = next_wait(c);
		init_timer(c);
		c->stage = MQTT_STAGE_WAITING;
		(void)uv_timer_start(&c->timer, on_timer, a->loss.retry_ms, 0);
	}
	buf_put_u8(&a->words, '\0');
	a->loss.words = (const char *)a->words.data;
	c->events->on_lost(c->arg, &a->loss);
	mqtt_attempt_free(a);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct mqtt_connection *c = handle->data;

	c->handles &= (uint8_t) ~(handle == (uv_handle_t *)&c->poll ? HANDLE_POLL : HANDLE_TIMER);
	if (c->attempt->redials && !c->has_ended) {
		c->attempt->redials = false;
		dial(c);
	} else if (c->has_ended && c->handles == 0) {
		finish(c);
	}
}

static void close_socket(struct mqtt_connection *c)
{
	if (c->ssl != NULL && c->stage >= MQTT_STAGE_UP)
		(void)SSL_shutdown(c->ssl);
	/* Otherwise OpenSSL would spoil the ticket. */
	if (c->ssl != NULL)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	ERR_clear_error();
	c->ssl = NULL;
	if ((c->handles & HANDLE_POLL) != 0 && !uv_is_closing((uv_handle_t *)&c->poll)) {
		(void)uv_poll_stop(&c->poll);
		uv_close((uv_handle_t *)&c->poll, on_handle_closed);
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->polled = 0;
}

static void shut(struct mqtt_connection *c)
{
	REQUIRE(c->has_ended && !c->in_events);
	close_socket(c);
	mqtt_protocol_close(&c->protocol);
	c->written = 0;
	if ((c->handles & HANDLE_TIMER) != 0 && !uv_is_closing((uv_handle_t *)&c->timer))
		uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

/* ---- what libuv waits for ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_poll(struct mqtt_connection *c)
{
	int wanted = c->paused && c->stage == MQTT_STAGE_UP ? 0 : UV_READABLE;

	/* Bytes that OpenSSL has already make no socket readable: a writable one calls at once. */
	if (c->blocked || c->broken || (c->unread && !c->paused))
		wanted |= UV_WRITABLE;
	if (wanted == c->polled || c->fd < 0 || c->has_ended)
		return;
	c->polled = wanted;
	if (wanted == 0)
		(void)uv_poll_stop(&c->poll);
	else
		(void)uv_poll_start(&c->poll, wanted, on_poll);
}

static void set_timer(struct mqtt_connection *c, uint64_t when_ms)
{
	uint64_t now = uv_now(c->loop);

	if (when_ms == UINT64_MAX)
		(void)uv_timer_stop(&c->timer);
	else
		(void)uv_timer_start(&c->timer, on_timer, when_ms > now ? when_ms - now : 0, 0);
}

/* ---- writing ---- */

/* Bytes written; 0: not now; -1: never again. */
static ssize_t write_some(struct mqtt_connection *c, struct slice bytes)
{
	ssize_t n;
	int rc;

	if (c->ssl == NULL) {
		n = send(c->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	if (bytes.len > WRITE_BYTES_MAX)
		bytes.len = WRITE_BYTES_MAX;
	ERR_clear_error();
	rc = SSL_write(c->ssl, bytes.data, (int)bytes.len);
	if (rc > 0)
		return rc;
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_WRITE || rc == SSL_ERROR_WANT_READ ? 0 : -1;
}

static void write_out(struct mqtt_connection *c)
{
	struct buf *out = &c->protocol.out;
	bool was_blocked = c->blocked;
	ssize_t n = 1;

	REQUIRE(c->written <= out->len && c->fd >= 0);
	while (c->written < out->len && n > 0) {
		n = write_some(c, slice_of(out->data + c->written, out->len - c->written));
		if (n > 0)
			c->written += (size_t)n;
	}
	mqtt_protocol_sent(&c->protocol, uv_now(c->loop));
	c->broken = c->broken || n < 0;
	c->blocked = c->written < out->len && !c->broken;
	if (c->written == out->len) {
		buf_clear(out);
		if (out->cap > IDLE_BYTES_MAX)
			buf_fini(out);
		c->written = 0;
	} else if (c->written > out->len / 2) {
		buf_consume(out, c->written);
		c->written = 0;
	}
	update_poll(c);
	if (was_blocked && !c->blocked && !c->broken && c->events->on_drained != NULL)
		c->events->on_drained(c->arg);
}

void mqtt_connection_flush(struct mqtt_connection *c)
{
	bool can_write = c->stage == MQTT_STAGE_UP || c->stage == MQTT_STAGE_ENDING;

	if (can_write && !c->in_events && !c->has_ended && !c->blocked && !c->broken &&
	    mqtt_connection_backlog(c) > 0)
		write_out(c);
}

/* ---- reading ---- */

/* The server ended it without a DISCONNECT, or the network did. */
static void end_by_peer(struct mqtt_connection *c, int ssl_error)
{
	bool in_login = c->protocol.state == MQTT_CONNECTING;

	if (ssl_error == SSL_ERROR_SSL && !c->has_ended && c->stage == MQTT_STAGE_UP) {
		mqtt_tls_explain(c->endpoint->tls, ssl_error, words_of(c));
		end(c, MQTT_LOSS_TLS, REASON_SUCCESS);
	} else if (in_login) {
		end_with(
		    c, MQTT_LOSS_CLOSED,
		    "the server closed the connection before it answered CONNECT: it may refuse "
		    "this address or client for now, or speak another version of MQTT (-V)");
	} else {
		end_with(c, MQTT_LOSS_CLOSED, "the connection was closed without a DISCONNECT");
	}
}

/* As many bytes as there are; 0: none now; -1: it has ended. */
static ssize_t read_some(struct mqtt_connection *c, uint8_t *out, size_t cap, int *ssl_error)
{
	ssize_t n;
	int rc;

	*ssl_error = SSL_ERROR_NONE;
	if (c->ssl == NULL) {
		n = recv(c->fd, out, cap, 0);
		return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	ERR_clear_error();
	rc = SSL_read(c->ssl, out, (int)cap);
	if (rc > 0)
		return rc;
	*ssl_error = SSL_get_error(c->ssl, rc);
	if (*ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		*ssl_error = SSL_ERROR_SYSCALL;
	return *ssl_error == SSL_ERROR_WANT_READ || *ssl_error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* What the protocol made of bytes or of the time. */
static void follow(struct mqtt_connection *c, struct fault fault, bool was_connecting)
{
	if (c->has_ended || c->stage != MQTT_STAGE_UP)
		return;
	if (!fault_is_none(fault)) {
		if (words_of(c)->len == 0)
			buf_printf(words_of(c), "%s", fault.cause);
		end(c,
		    c->refused                                  ? MQTT_LOSS_REFUSED
		    : fault.reason == REASON_KEEP_ALIVE_TIMEOUT ? MQTT_LOSS_SILENCE
		                                                : MQTT_LOSS_PROTOCOL,
		    fault.reason);
	} else if (c->protocol.state == MQTT_ENDED) {
		end(c, MQTT_LOSS_DISCONNECTED, c->end_reason);
	} else if (was_connecting && c->protocol.state == MQTT_OPEN) {
		c->was_open = true;
		c->wait_ms = 0;
		mqtt_attempt_free(c->attempt);
		c->attempt = NULL;
		set_timer(c, mqtt_protocol_due_ms(&c->protocol));
	}
}

static void take_input(struct mqtt_connection *c, struct slice bytes)
{
	bool was_connecting = c->protocol.state == MQTT_CONNECTING;
	struct fault fault;

	REQUIRE(!c->in_events && c->stage == MQTT_STAGE_UP);
	c->in_events = true;
	fault = mqtt_protocol_input(&c->protocol, bytes, uv_now(c->loop));
	follow(c, fault, was_connecting);
	c->in_events = false;
}

/* After events: send what they put; an end takes effect now. */
static void settle(struct mqtt_connection *c)
{
	bool is_abort = c->has_ended && c->stopping;

	if (!is_abort && c->fd >= 0 && !c->blocked && !c->broken && mqtt_connection_backlog(c) > 0)
		write_out(c);
	if (c->has_ended)
		shut(c);
	else
		update_poll(c);
}

static void read_all(struct mqtt_connection *c)
{
	static _Thread_local uint8_t bytes[READ_BYTES];
	int ssl_error = SSL_ERROR_NONE;
	ssize_t n = 1;

	REQUIRE(!c->in_events && c->fd >= 0);
	for (int i = 0; i < READS_MAX && n > 0 && !c->has_ended && !c->paused; i++) {
		n = read_some(c, bytes, sizeof(bytes), &ssl_error);
		c->read_ns = uv_hrtime();
		if (n > 0 && c->stage == MQTT_STAGE_UP)
			take_input(c, slice_of(bytes, (size_t)n));
	}
	if (c->events->on_read != NULL && c->stage == MQTT_STAGE_UP && !c->has_ended) {
		c->in_events = true;
		c->events->on_read(c->arg);
		c->in_events = false;
	}
	c->unread = n > 0;
	if (n < 0 && !c->has_ended) {
		c->in_events = true;
		end_by_peer(c, ssl_error);
		c->in_events = false;
	}
	settle(c);
}

/* ---- the way up ---- */

static void start_mqtt(struct mqtt_connection *c)
{
	REQUIRE(c->protocol.state == MQTT_CLOSED);
	c->stage = MQTT_STAGE_UP;
	c->refused = false;
	mqtt_protocol_open(&c->protocol, c->client_id, uv_now(c->loop));
	write_out(c);
}

static void on_tls_done(struct mqtt_connection *c)
{
	if (!mqtt_tls_accept(c->endpoint->tls, c->ssl, &c->attempt->problem)) {
		buf_put_slice(words_of(c), buf_slice(&c->attempt->problem.words));
		end(c, MQTT_LOSS_UNTRUSTED, REASON_SUCCESS);
		return;
	}
	if (c->events->on_tls != NULL)
		c->events->on_tls(c->arg, SSL_session_reused(c->ssl) == 1);
	start_mqtt(c);
}

static void shake_hands(struct mqtt_connection *c)
{
	struct mqtt_tls_problem *problem = &c->attempt->problem;
	int rc, error;

	ERR_clear_error();
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		c->blocked = false;
		on_tls_done(c);
		return;
	}
	error = SSL_get_error(c->ssl, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		c->blocked = error == SSL_ERROR_WANT_WRITE;
		update_poll(c);
		return;
	}
	if (problem->untrusted)
		buf_put_slice(words_of(c), buf_slice(&problem->words));
	else
		mqtt_tls_explain(c->endpoint->tls, error, words_of(c));
	end(c, problem->untrusted ? MQTT_LOSS_UNTRUSTED : MQTT_LOSS_TLS, REASON_SUCCESS);
}

static void on_connected(struct mqtt_connection *c)
{
	const struct mqtt_endpoint *e = c->endpoint;

	REQUIRE(c->attempt != NULL && c->ssl == NULL);
	c->blocked = false;
	set_timer(c, c->attempt->deadline_ms);
	if (c->events->on_tcp != NULL)
		c->events->on_tcp(c->arg);
	if (e->tls == NULL) {
		start_mqtt(c);
		return;
	}
	c->stage = MQTT_STAGE_HANDSHAKE;
	c->ssl = mqtt_tls_connect(e->tls, e->host == NULL ? "localhost" : e->host, c->fd,
	                          &c->attempt->problem, &c->ticket);
	if (c->ssl == NULL)
		end_with(c, MQTT_LOSS_TLS, "TLS cannot start: is the name of the server valid?");
	else
		shake_hands(c);
}

static void refuse_dial(struct mqtt_connection *c, int error)
{
	if (mqtt_attempt_has_next(c->attempt)) {
		c->attempt->last_error = error;
		c->attempt->redials = true;
		close_socket(c);
		return;
	}
	mqtt_dial_describe(c->endpoint, error, words_of(c));
	end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
}

static void on_dialled(struct mqtt_connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0)
		on_connected(c);
	else
		refuse_dial(c, error);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct mqtt_connection *c = poll->data;

	if (status < 0) { /* libuv has stopped the handle; reading says what it is */
		c->polled = 0;
		events |= UV_READABLE;
	}
	if (c->stage == MQTT_STAGE_DIALLING) {
		on_dialled(c);
	} else if (c->stage == MQTT_STAGE_HANDSHAKE) {
		shake_hands(c);
	} else {
		if ((events & UV_WRITABLE) != 0 && c->blocked)
			write_out(c);
		if (!c->has_ended && ((events & UV_READABLE) != 0 || c->unread || c->broken))
			read_all(c);
		if (!c->has_ended && c->broken && c->fd >= 0)
			end_by_peer(c, SSL_ERROR_SYSCALL);
	}
}

static void dial(struct mqtt_connection *c)
{
	uint64_t deadline = c->attempt->deadline_ms, soon = uv_now(c->loop) + NEXT_ADDRESS_AFTER_MS;
	int fd = mqtt_attempt_dial(c->attempt), rc;

	c->stage = MQTT_STAGE_DIALLING;
	if (fd < 0) {
		mqtt_dial_describe(c->endpoint, -fd, words_of(c));
		end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
		return;
	}
	c->fd = fd;
	rc = uv_poll_init(c->loop, &c->poll, fd);
	if (rc != 0) {
		buf_printf(words_of(c), "cannot watch a socket: %s", uv_strerror(rc));
		end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
		return;
	}
	REQUIRE((c->handles & HANDLE_POLL) == 0);
	c->poll.data = c;
	c->handles |= HANDLE_POLL;
	c->blocked = true; /* connected is writable */
	set_timer(c, mqtt_attempt_has_next(c->attempt) && soon < deadline ? soon : deadline);
	c->polled = UV_WRITABLE;
	(void)uv_poll_start(&c->poll, UV_WRITABLE, on_poll);
}

static void on_looked_up(struct mqtt_connection *c, int status)
{
	if (status == 0) {
		dial(c);
		return;
	}
	mqtt_dial_describe_lookup(c->endpoint, status, words_of(c));
	end(c, MQTT_LOSS_LOOKUP, REASON_SUCCESS);
}

static void begin_attempt(struct mqtt_connection *c)
{
	uint64_t timeout = c->endpoint->connect_timeout_ms;

	REQUIRE(c->attempt == NULL && c->fd < 0);
	c->attempt = mqtt_attempt_new(c);
	c->attempt->deadline_ms = uv_now(c->loop) + (timeout == 0 ? CONNECT_TIMEOUT_MS : timeout);
	c->stage = MQTT_STAGE_LOOKUP;
	c->blocked = c->unread = c->broken = false;
	c->written = 0;
	set_timer(c, c->attempt->deadline_ms);
	mqtt_attempt_lookup(c->attempt, on_looked_up);
}

/* ---- time ---- */

static void time_out(struct mqtt_connection *c)
{
	if (c->stage == MQTT_STAGE_DIALLING)
		mqtt_dial_describe(c->endpoint, ETIMEDOUT, words_of(c));
	else
		buf_printf(words_of(c), "%s",
		           c->stage == MQTT_STAGE_LOOKUP
		               ? "the look-up of the host's name took too long"
		           : c->stage == MQTT_STAGE_HANDSHAKE
		               ? "the server does not answer in the TLS handshake"
		               : "the server does not answer CONNECT");
	end(c, MQTT_LOSS_TIMEOUT, REASON_SUCCESS);
}

static void keep_alive(struct mqtt_connection *c)
{
	struct fault fault = mqtt_protocol_tick(&c->protocol, uv_now(c->loop));

	follow(c, fault, false);
	if (c->has_ended)
		return;
	mqtt_connection_flush(c);
	set_timer(c, mqtt_protocol_due_ms(&c->protocol));
}

static void on_timer(uv_timer_t *timer)
{
	struct mqtt_connection *c = timer->data;

	if (c->has_ended)
		return;
	if (c->stage == MQTT_STAGE_WAITING)
		begin_attempt(c);
	else if (c->stage == MQTT_STAGE_ENDING)
		end_with(c, MQTT_LOSS_OURS, "the server did not close in time");
	else if (c->stage == MQTT_STAGE_DIALLING && mqtt_attempt_has_next(c->attempt) &&
	         uv_now(c->loop) < c->attempt->deadline_ms)
		refuse_dial(c, ETIMEDOUT);
	else if (c->stage == MQTT_STAGE_UP && c->protocol.state == MQTT_OPEN)
		keep_alive(c);
	else
		time_out(c);
}

/* ---- events of the protocol ---- */

/* "...: Not authorized (0x87): words of the server" */
static void put_reason(struct buf *out, const char *what, const char *name, enum reason reason,
                       const struct properties *p)
{
	buf_printf(out, "%s: %s (0x%02x)", what, name, (unsigned)reason);
	if (p->reason_string.len > 0) {
		buf_printf(out, ": ");
		utf8_put_printable(out, p->reason_string);
	}
	if (p->server_reference.len > 0) {
		buf_printf(out, "; it names another server: ");
		utf8_put_printable(out, p->server_reference);
	}
}

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	if (ack->reason != REASON_SUCCESS) {
		c->refused = true;
		put_reason(words_of(c), "the server refused the login", reason_name(ack->reason),
		           ack->reason, p);
	}
	if (c->events->protocol.on_connack != NULL)
		c->events->protocol.on_connack(c->arg, ack, p);
}

static bool on_message(void *arg, const struct publish *message)
{
	struct mqtt_connection *c = arg;

	return c->events->protocol.on_message(c->arg, message);
}

static void on_answer(void *arg, const struct mqtt_answer *answer)
{
	struct mqtt_connection *c = arg;

	if (c->events->protocol.on_answer != NULL)
		c->events->protocol.on_answer(c->arg, answer);
}

static void on_disconnect(void *arg, enum reason reason, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	c->end_reason = reason;
	put_reason(words_of(c), "the server ended the connection", reason_name_of_close(reason),
	           reason, p);
	if (c->events->protocol.on_disconnect != NULL)
		c->events->protocol.on_disconnect(c->arg, reason, p);
}

static void on_auth(void *arg, enum reason reason, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	c->events->protocol.on_auth(c->arg, reason, p);
}

static const struct mqtt_events hooks = {on_connack, on_message, on_answer, on_disconnect, NULL};
static const struct mqtt_events hooks_with_auth = {on_connack, on_message, on_answer, on_disconnect,
                                                   on_auth};

/* ---- for everybody ---- */

void mqtt_connection_init(struct mqtt_connection *c, const struct mqtt_setup *setup, void *arg,
                          struct slice client_id)
{
	const struct mqtt_connection_events *events = setup->events;

	REQUIRE(events->on_lost != NULL && events->protocol.on_message != NULL);
	*c = (struct mqtt_connection){
	    .loop = setup->loop,
	    .endpoint = setup->endpoint,
	    .events = events,
	    .arg = arg,
	    .client_id = client_id,
	    .fd = -1,
	};
	mqtt_protocol_init(&c->protocol, setup->options,
	                   events->protocol.on_auth == NULL ? &hooks : &hooks_with_auth, c);
}

void mqtt_connection_fini(struct mqtt_connection *c)
{
	REQUIRE(c->stage == MQTT_STAGE_IDLE);
	SSL_SESSION_free(c->ticket);
	c->ticket = NULL;
	mqtt_protocol_fini(&c->protocol);
}

void mqtt_connection_start(struct mqtt_connection *c)
{
	REQUIRE(c->stage == MQTT_STAGE_IDLE && c->endpoint != NULL);
	c->stopping = c->paused = false;
	init_timer(c);
	begin_attempt(c);
}

void mqtt_connection_abort(struct mqtt_connection *c)
{
	if (c->stage == MQTT_STAGE_IDLE || c->has_ended) {
		c->stopping = true;
		return;
	}
	c->stopping = true;
	end_with(c, MQTT_LOSS_OURS, "closed");
}

void mqtt_connection_stop(struct mqtt_connection *c, enum reason reason)
{
	if (c->stage == MQTT_STAGE_ENDING)
		return;
	if (c->stage != MQTT_STAGE_UP || c->protocol.state != MQTT_OPEN || c->has_ended) {
		mqtt_connection_abort(c);
		return;
	}
	c->stopping = true;
	mqtt_protocol_disconnect(&c->protocol, reason);
	c->stage = MQTT_STAGE_ENDING; /* until the server closes */
	c->paused = false;
	set_timer(c, uv_now(c->loop) + ENDING_MS);
	mqtt_connection_flush(c);
	if (!c->in_events)
		update_poll(c);
}

void mqtt_connection_pause(struct mqtt_connection *c)
{
	c->paused = true;
	if (!c->in_events && c->stage == MQTT_STAGE_UP)
		update_poll(c);
}

void mqtt_connection_resume(struct mqtt_connection *c)
{
	c->paused = false;
	if (!c->in_events && c->stage == MQTT_STAGE_UP)
		update_poll(c);
}
