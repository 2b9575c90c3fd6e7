/* The stages of a connection, from the name look-up to MQTT, and its end.  One that ends closes its
 * handles first, and says so (on_lost) when libuv has let go of them: from then on everything can
 * be used again. */
#include "mqtt/mqtt_connection.h"

#include <errno.h>

#include "base/container.h"
#include "base/random.h"
#include "base/require.h"
#include "mqtt/mqtt_dial.h"
#include "mqtt/mqtt_hooks.h"
#include "proto/reason.h"

#define READ_BYTES            ((size_t)65536)
#define READS_MAX             16 /* then the others are asked */
#define IDLE_BYTES_MAX        16384u
#define CONNECT_TIMEOUT_MS    30000u
#define NEXT_ADDRESS_AFTER_MS 5000u
#define ENDING_MS             5000u
#define RETRY_MAX_MS          60000u

static void dial(struct mqtt_connection *c);
static void shut(struct mqtt_connection *c);

/* ---- the end ---- */

static void set_timer(struct mqtt_connection *c, uint64_t when_ms)
{
	mqtt_socket_set_timer(&c->socket, when_ms);
}

/* The words were put. In the middle of events it takes effect after them. */
static void end(struct mqtt_connection *c, enum mqtt_loss_kind kind, enum reason reason)
{
	if (c->has_ended)
		return;
	(void)mqtt_attempt_words(c);
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
	buf_printf(mqtt_attempt_words(c), "%s", words);
	end(c, kind, REASON_SUCCESS);
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

	REQUIRE(a != NULL && c->socket.transport.fd < 0 && c->socket.handles == 0);
	c->attempt = NULL;
	c->has_ended = c->was_open = false;
	c->stage = MQTT_STAGE_IDLE;
	if (!c->stopping && c->endpoint->retry_min_ms > 0) {
		a->loss.retry_ms = next_wait(c);
		mqtt_socket_start_timer(&c->socket);
		c->stage = MQTT_STAGE_WAITING;
		set_timer(c, uv_now(c->socket.loop) + a->loss.retry_ms);
	}
	buf_put_u8(&a->words, '\0');
	a->loss.words = (const char *)a->words.data;
	c->events->on_lost(c->arg, &a->loss);
	mqtt_attempt_free(a);
}

static void on_closed(struct mqtt_socket *s)
{
	struct mqtt_connection *c = container_of(s, struct mqtt_connection, socket);

	if (c->attempt->redials && !c->has_ended) {
		c->attempt->redials = false;
		dial(c);
	} else if (c->has_ended && s->handles == 0) {
		finish(c);
	}
}

static void shut(struct mqtt_connection *c)
{
	REQUIRE(c->has_ended && !c->in_events);
	mqtt_socket_close(&c->socket, c->stage >= MQTT_STAGE_UP);
	mqtt_wire_close(&c->wire);
	mqtt_protocol_close(&c->protocol);
	c->written = 0;
	mqtt_socket_close_timer(&c->socket);
}

/* ---- what libuv waits for ---- */

static void update_poll(struct mqtt_connection *c)
{
	int wanted = c->paused && c->stage == MQTT_STAGE_UP ? 0 : UV_READABLE;

	/* Bytes that OpenSSL has already make no socket readable: a writable one calls at once. */
	if (c->blocked || c->broken || (c->unread && !c->paused))
		wanted |= UV_WRITABLE;
	if (!c->has_ended)
		mqtt_socket_watch(&c->socket, wanted);
}

/* ---- writing ---- */

static void write_out(struct mqtt_connection *c)
{
	struct buf *out = mqtt_wire_output(&c->wire, &c->protocol.out);
	bool was_blocked = c->blocked;
	ssize_t n = 1;

	REQUIRE(c->written <= out->len && c->socket.transport.fd >= 0);
	while (c->written < out->len && n > 0) {
		n = mqtt_transport_write(&c->socket.transport,
		                         slice_of(out->data + c->written, out->len - c->written));
		if (n > 0)
			c->written += (size_t)n;
	}
	mqtt_protocol_sent(&c->protocol, uv_now(c->socket.loop));
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
		mqtt_tls_explain(c->endpoint->tls, ssl_error, mqtt_attempt_words(c));
		end(c, MQTT_LOSS_TLS, REASON_SUCCESS);
	} else if (mqtt_wire_waits(&c->wire)) {
		end_with(c, MQTT_LOSS_CLOSED,
		         "the server closed the connection before it answered the request for a "
		         "WebSocket: is it the port of its WebSocket?");
	} else if (in_login) {
		end_with(
		    c, MQTT_LOSS_CLOSED,
		    "the server closed the connection before it answered CONNECT: it may refuse "
		    "this address or client for now, or speak another version of MQTT (-V)");
	} else {
		end_with(c, MQTT_LOSS_CLOSED, "the connection was closed without a DISCONNECT");
	}
}

/* What the protocol made of bytes or of the time. */
static void follow(struct mqtt_connection *c, struct fault fault, bool was_connecting)
{
	if (c->has_ended || c->stage != MQTT_STAGE_UP)
		return;
	if (!fault_is_none(fault)) {
		if (mqtt_attempt_words(c)->len == 0)
			buf_printf(mqtt_attempt_words(c), "%s", fault.cause);
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
	fault = mqtt_protocol_input(&c->protocol, bytes, uv_now(c->socket.loop));
	follow(c, fault, was_connecting);
	c->in_events = false;
}

/* Through the WebSocket, where there is one. */
static void take_bytes(struct mqtt_connection *c, uint8_t *bytes, size_t len)
{
	bool was_waiting = mqtt_wire_waits(&c->wire);
	struct buf why = {0};
	size_t plain;
	bool goes_on = mqtt_wire_input(&c->wire, bytes, len, &plain, &why);

	if (plain > 0)
		take_input(c, slice_of(bytes, plain));
	if (!goes_on && !c->has_ended) {
		buf_put_slice(mqtt_attempt_words(c), buf_slice(&why));
		c->in_events = true;
		end(c, was_waiting ? MQTT_LOSS_CONNECT : MQTT_LOSS_CLOSED, REASON_SUCCESS);
		c->in_events = false;
	}
	buf_fini(&why);
}

/* After events: send what they put; an end takes effect now. */
static void settle(struct mqtt_connection *c)
{
	bool is_abort = c->has_ended && c->stopping;

	if (!is_abort && c->socket.transport.fd >= 0 && !c->blocked && !c->broken &&
	    mqtt_connection_backlog(c) > 0)
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

	REQUIRE(!c->in_events && c->socket.transport.fd >= 0);
	for (int i = 0; i < READS_MAX && n > 0 && !c->has_ended && !c->paused; i++) {
		n = mqtt_transport_read(&c->socket.transport, bytes, sizeof(bytes), &ssl_error);
		c->read_ns = uv_hrtime();
		if (n > 0 && c->stage == MQTT_STAGE_UP)
			take_bytes(c, bytes, (size_t)n);
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
	mqtt_wire_open(&c->wire, c->endpoint);
	mqtt_protocol_open(&c->protocol, c->client_id, uv_now(c->socket.loop));
	write_out(c);
}

static void on_tls_done(struct mqtt_connection *c)
{
	if (c->events->on_tls != NULL)
		c->events->on_tls(c->arg, SSL_session_reused(c->socket.transport.ssl) == 1);
	start_mqtt(c);
}

static void shake_hands(struct mqtt_connection *c)
{
	enum mqtt_handshake result = mqtt_transport_shake(
	    &c->socket.transport, c->endpoint->tls, &c->attempt->problem, mqtt_attempt_words(c));

	c->blocked = result == MQTT_HANDSHAKE_WANTS_WRITE;
	if (result == MQTT_HANDSHAKE_DONE)
		on_tls_done(c);
	else if (result == MQTT_HANDSHAKE_WANTS_READ || result == MQTT_HANDSHAKE_WANTS_WRITE)
		update_poll(c);
	else
		end(c, result == MQTT_HANDSHAKE_UNTRUSTED ? MQTT_LOSS_UNTRUSTED : MQTT_LOSS_TLS,
		    REASON_SUCCESS);
}

static void on_connected(struct mqtt_connection *c)
{
	const struct mqtt_endpoint *e = c->endpoint;

	REQUIRE(c->attempt != NULL && c->socket.transport.ssl == NULL);
	c->blocked = false;
	set_timer(c, c->attempt->deadline_ms);
	if (c->events->on_tcp != NULL)
		c->events->on_tcp(c->arg);
	if (e->tls == NULL) {
		start_mqtt(c);
		return;
	}
	c->stage = MQTT_STAGE_HANDSHAKE;
	c->socket.transport.ssl =
	    mqtt_tls_connect(e->tls, e->host == NULL ? "localhost" : e->host,
	                     c->socket.transport.fd, &c->attempt->problem, &c->ticket);
	if (c->socket.transport.ssl == NULL)
		end_with(c, MQTT_LOSS_TLS, "TLS cannot start: is the name of the server valid?");
	else
		shake_hands(c);
}

static void refuse_dial(struct mqtt_connection *c, int error)
{
	if (mqtt_attempt_has_next(c->attempt)) {
		c->attempt->last_error = error;
		c->attempt->redials = true;
		mqtt_socket_close(&c->socket, false);
		return;
	}
	mqtt_dial_describe(c->endpoint, error, mqtt_attempt_words(c));
	end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
}

static void on_dialled(struct mqtt_connection *c)
{
	int error = mqtt_transport_connect_error(c->socket.transport.fd);

	if (error == 0)
		on_connected(c);
	else
		refuse_dial(c, error);
}

static void on_ready(struct mqtt_socket *s, int events)
{
	struct mqtt_connection *c = container_of(s, struct mqtt_connection, socket);

	if (c->stage == MQTT_STAGE_DIALLING) {
		on_dialled(c);
	} else if (c->stage == MQTT_STAGE_HANDSHAKE) {
		shake_hands(c);
	} else {
		if ((events & UV_WRITABLE) != 0 && c->blocked)
			write_out(c);
		if (!c->has_ended && ((events & UV_READABLE) != 0 || c->unread || c->broken))
			read_all(c);
		if (!c->has_ended && c->broken && c->socket.transport.fd >= 0)
			end_by_peer(c, SSL_ERROR_SYSCALL);
	}
}

static void dial(struct mqtt_connection *c)
{
	uint64_t deadline = c->attempt->deadline_ms,
		 soon = uv_now(c->socket.loop) + NEXT_ADDRESS_AFTER_MS;
	int fd = mqtt_attempt_dial(c->attempt), rc;

	c->stage = MQTT_STAGE_DIALLING;
	if (fd < 0) {
		mqtt_dial_describe(c->endpoint, -fd, mqtt_attempt_words(c));
		end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
		return;
	}
	rc = mqtt_socket_open(&c->socket, fd);
	if (rc != 0) {
		buf_printf(mqtt_attempt_words(c), "cannot watch a socket: %s", uv_strerror(rc));
		end(c, MQTT_LOSS_CONNECT, REASON_SUCCESS);
		return;
	}
	c->blocked = true; /* connected is writable */
	set_timer(c, mqtt_attempt_has_next(c->attempt) && soon < deadline ? soon : deadline);
	mqtt_socket_watch(&c->socket, UV_WRITABLE);
}

static void on_looked_up(struct mqtt_connection *c, int status)
{
	if (status == 0) {
		dial(c);
		return;
	}
	mqtt_dial_describe_lookup(c->endpoint, status, mqtt_attempt_words(c));
	end(c, MQTT_LOSS_LOOKUP, REASON_SUCCESS);
}

static void begin_attempt(struct mqtt_connection *c)
{
	uint64_t timeout = c->endpoint->connect_timeout_ms;

	REQUIRE(c->attempt == NULL && c->socket.transport.fd < 0);
	c->attempt = mqtt_attempt_new(c);
	c->attempt->deadline_ms =
	    uv_now(c->socket.loop) + (timeout == 0 ? CONNECT_TIMEOUT_MS : timeout);
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
		mqtt_dial_describe(c->endpoint, ETIMEDOUT, mqtt_attempt_words(c));
	else
		buf_printf(mqtt_attempt_words(c), "%s",
		           c->stage == MQTT_STAGE_LOOKUP
		               ? "the look-up of the host's name took too long"
		           : c->stage == MQTT_STAGE_HANDSHAKE
		               ? "the server does not answer in the TLS handshake"
		           : mqtt_wire_waits(&c->wire)
		               ? "the server does not answer the request for a WebSocket"
		               : "the server does not answer CONNECT");
	end(c, MQTT_LOSS_TIMEOUT, REASON_SUCCESS);
}

static void keep_alive(struct mqtt_connection *c)
{
	struct fault fault = mqtt_protocol_tick(&c->protocol, uv_now(c->socket.loop));

	follow(c, fault, false);
	if (c->has_ended)
		return;
	mqtt_connection_flush(c);
	set_timer(c, mqtt_protocol_due_ms(&c->protocol));
}

static void on_timer(struct mqtt_socket *s)
{
	struct mqtt_connection *c = container_of(s, struct mqtt_connection, socket);

	if (c->has_ended)
		return;
	if (c->stage == MQTT_STAGE_WAITING)
		begin_attempt(c);
	else if (c->stage == MQTT_STAGE_ENDING)
		end_with(c, MQTT_LOSS_OURS, "the server did not close in time");
	else if (c->stage == MQTT_STAGE_DIALLING && mqtt_attempt_has_next(c->attempt) &&
	         uv_now(c->socket.loop) < c->attempt->deadline_ms)
		refuse_dial(c, ETIMEDOUT);
	else if (c->stage == MQTT_STAGE_UP && c->protocol.state == MQTT_OPEN)
		keep_alive(c);
	else
		time_out(c);
}

static const struct mqtt_socket_events socket_events = {on_ready, on_timer, on_closed};

/* ---- for everybody ---- */

void mqtt_connection_init(struct mqtt_connection *c, const struct mqtt_setup *setup, void *arg,
                          struct slice client_id)
{
	const struct mqtt_connection_events *events = setup->events;

	REQUIRE(events->on_lost != NULL && events->protocol.on_message != NULL);
	*c = (struct mqtt_connection){
	    .endpoint = setup->endpoint,
	    .events = events,
	    .arg = arg,
	    .client_id = client_id,
	};
	mqtt_socket_init(&c->socket, setup->loop, &socket_events);
	mqtt_protocol_init(&c->protocol, setup->options,
	                   mqtt_hooks_of(events->protocol.on_auth != NULL), c);
}

void mqtt_connection_fini(struct mqtt_connection *c)
{
	REQUIRE(c->stage == MQTT_STAGE_IDLE);
	SSL_SESSION_free(c->ticket);
	c->ticket = NULL;
	mqtt_wire_close(&c->wire);
	mqtt_protocol_fini(&c->protocol);
}

void mqtt_connection_start(struct mqtt_connection *c)
{
	REQUIRE(c->stage == MQTT_STAGE_IDLE && c->endpoint != NULL);
	c->stopping = c->paused = false;
	mqtt_socket_start_timer(&c->socket);
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
	mqtt_wire_finish(&c->wire, &c->protocol.out);
	c->stage = MQTT_STAGE_ENDING; /* until the server closes */
	c->paused = false;
	set_timer(c, uv_now(c->socket.loop) + ENDING_MS);
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
