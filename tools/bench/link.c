/* Sockets, and what of the client library goes through them. Where the broker or the kernel ends a
 * connection, on_closed says why. */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "mqtt/mqtt_hooks.h"

enum { EVENTS = 256, READ_BYTES = 65536, ROUNDS = 16, SLOW_RECEIVE_BUFFER = 4096 };

bool link_pool_init(struct link_pool *p, const struct link_settings *settings)
{
	struct epoll_event event = {.events = EPOLLIN};

	*p = (struct link_pool){.settings = settings};
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	p->bytes = xalloc(READ_BYTES);
	p->tls = settings->has_tls ? mqtt_tls_new(&settings->tls, &p->why) : NULL;
	return p->epoll >= 0 && p->wake >= 0 && (p->tls != NULL || !settings->has_tls) &&
	       epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &event) == 0;
}

void link_pool_fini(struct link_pool *p)
{
	mqtt_tls_free(p->tls);
	if (p->epoll >= 0)
		close(p->epoll);
	if (p->wake >= 0)
		close(p->wake);
	free(p->bytes);
	buf_fini(&p->why);
}

void link_pool_wake(struct link_pool *p)
{
	(void)eventfd_write(p->wake, 1);
}

static uint64_t now_ms(const struct link_pool *p)
{
	return p->now_ns / 1000000;
}

/* --- the end --- */

static void drop(struct link *l)
{
	mqtt_transport_close(&l->transport, false);
	l->state = LINK_NONE;
	l->wants_out = false;
	buf_clear(&l->problem.words);
	l->problem.untrusted = false;
	if (l->protocol.state != MQTT_CLOSED)
		mqtt_protocol_close(&l->protocol);
	buf_clear(&l->protocol.out);
	mqtt_websocket_fini(&l->websocket);
	buf_fini(&l->wire);
}

void link_fini(struct link *l)
{
	drop(l);
	mqtt_protocol_fini(&l->protocol);
	buf_fini(&l->problem.words);
	SSL_SESSION_free(l->ticket);
	l->ticket = NULL;
}

/* With the words in pool->why, or else these. */
static void end(struct link *l, const char *why)
{
	struct buf *words = &l->pool->why;
	bool wanted = l->state == LINK_LEAVING;

	drop(l);
	if (words->len == 0)
		buf_put_slice(words, slice_of_str(why));
	buf_put_u8(words, '\0');
	REQUIRE(l->transport.fd < 0);
	l->events->on_closed(l, wanted ? NULL : (const char *)words->data);
	buf_clear(words);
}

/* --- events of the protocol --- */

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct link *l = arg;

	if (ack->reason != REASON_SUCCESS) {
		mqtt_hooks_put_reason(&l->pool->why, "the broker refused CONNECT",
		                      reason_name(ack->reason), ack->reason, p);
		return;
	}
	l->state = LINK_OPEN;
}

static bool on_message(void *arg, const struct publish *message)
{
	struct link *l = arg;

	l->events->on_message(l, message);
	return true;
}

static void on_answer(void *arg, const struct mqtt_answer *answer)
{
	struct link *l = arg;

	if (l->events->on_answer != NULL)
		l->events->on_answer(l, answer);
}

static void on_disconnect(void *arg, enum reason reason, const struct properties *p)
{
	struct link *l = arg;

	mqtt_hooks_put_reason(&l->pool->why, "the broker sent DISCONNECT",
	                      reason_name_of_close(reason), reason, p);
}

static const struct mqtt_events hooks = {on_connack, on_message, on_answer, on_disconnect, NULL};

void link_init(struct link *l, struct link_pool *p, const struct link_events *events, bool kept)
{
	REQUIRE(l->pool == NULL && events->on_message != NULL && events->on_closed != NULL);
	l->pool = p;
	l->events = events;
	l->transport.fd = -1;
	mqtt_protocol_init(&l->protocol, kept ? &p->settings->mqtt_kept : &p->settings->mqtt,
	                   &hooks, l);
}

/* --- the beginning --- */

static bool watch(struct link *l, int operation)
{
	bool reads = !l->slow || l->state != LINK_OPEN;
	struct epoll_event event = {.events = (reads ? (unsigned)EPOLLIN : 0) |
	                                      (l->wants_out ? (unsigned)EPOLLOUT : 0),
	                            .data.ptr = l};

	return epoll_ctl(l->pool->epoll, operation, l->transport.fd, &event) == 0;
}

static void want_out(struct link *l, bool out)
{
	if (l->wants_out == out)
		return;
	l->wants_out = out;
	(void)watch(l, EPOLL_CTL_MOD);
}

static bool start_tls(struct link *l)
{
	SSL *ssl = mqtt_tls_connect(l->pool->tls, l->pool->settings->host, l->transport.fd,
	                            &l->problem, &l->ticket);

	l->transport.ssl = ssl;
	if (ssl == NULL)
		return false;
	SSL_set_read_ahead(ssl, !l->slow);
	return true;
}

void link_start(struct link *l)
{
	const struct link_settings *s = l->pool->settings;
	struct mqtt_target target = {
	    .address = (const struct sockaddr *)&s->address,
	    .address_bytes = s->address_bytes,
	    .source = s->source,
	    .receive_buffer_bytes = l->slow ? SLOW_RECEIVE_BUFFER : 0,
	};
	int fd;

	REQUIRE(l->state == LINK_NONE && l->transport.fd < 0 && l->transport.ssl == NULL);
	l->state = LINK_DIALING;
	l->wants_out = true;
	fd = mqtt_transport_dial(&target);
	if (fd < 0) {
		end(l, fd == -EMFILE ? "no more open files are allowed: see ulimit -n"
		                     : strerror(-fd));
		return;
	}
	l->transport.fd = fd;
	if ((s->has_tls && !start_tls(l)) || !watch(l, EPOLL_CTL_ADD))
		end(l, "no memory for another connection");
}

/* --- sending --- */

void link_touch(struct link *l)
{
	REQUIRE(l->pool != NULL);
	if (l->is_dirty)
		return;
	l->is_dirty = true;
	l->next = l->pool->dirty;
	l->pool->dirty = l;
}

/* What goes out: the packets, or the frames around them. */
static struct buf *outgoing(struct link *l)
{
	struct buf *packets = &l->protocol.out;
	const struct link_settings *s = l->pool->settings;

	if (s->websocket == NULL)
		return packets;
	if (packets->len > 0 && l->websocket.state == MQTT_WEBSOCKET_OPEN)
		mqtt_websocket_put(&l->websocket, buf_slice(packets), s->websocket_cuts, &l->wire);
	buf_clear(packets);
	return &l->wire;
}

static void flush(struct link *l)
{
	struct buf *out = outgoing(l);
	bool waited = l->wants_out;
	size_t sent = 0;
	ssize_t n = 1;

	while (sent < out->len && n > 0) {
		n = mqtt_transport_write(&l->transport,
		                         slice_of(out->data + sent, out->len - sent));
		sent += n > 0 ? (size_t)n : 0;
	}
	if (sent > 0)
		mqtt_protocol_sent(&l->protocol, now_ms(l->pool));
	if (n < 0) {
		end(l, "the broker closed the connection");
		return;
	}
	if (sent == out->len)
		buf_clear(out);
	else
		buf_consume(out, sent);
	want_out(l, out->len > 0);
	if (waited && !l->wants_out && l->events->on_drained != NULL)
		l->events->on_drained(l);
}

static void flush_dirty(struct link_pool *p)
{
	while (p->dirty != NULL) {
		struct link *l = p->dirty;

		p->dirty = l->next;
		l->is_dirty = false;
		if (l->state >= LINK_UPGRADE)
			flush(l);
	}
}

void link_leave(struct link *l)
{
	REQUIRE(l->state == LINK_OPEN);
	mqtt_protocol_disconnect(&l->protocol, REASON_SUCCESS);
	l->state = LINK_LEAVING;
	link_touch(l);
}

void link_keep_alive(struct link *l)
{
	uint64_t ms = now_ms(l->pool);

	if (l->state != LINK_OPEN || mqtt_protocol_due_ms(&l->protocol) > ms)
		return;
	if (fault_is_none(mqtt_protocol_tick(&l->protocol, ms)))
		link_touch(l);
	else
		end(l, "the broker did not answer PINGREQ");
}

/* --- receiving --- */

/* False: it is over. */
static bool take_bytes(struct link *l, struct slice bytes)
{
	bool was_open = l->state == LINK_OPEN;
	struct fault fault;

	if (l->protocol.state == MQTT_ENDED)
		return true; /* ours: the broker has not closed yet */
	fault = mqtt_protocol_input(&l->protocol, bytes, now_ms(l->pool));
	if (!fault_is_none(fault) ||
	    (l->protocol.state == MQTT_ENDED && l->state != LINK_LEAVING)) {
		end(l, fault.cause == NULL ? "the broker ended the connection" : fault.cause);
		return false;
	}
	if (!was_open && l->state == LINK_OPEN) {
		if (l->slow)
			(void)watch(l, EPOLL_CTL_MOD);
		l->events->on_open(l);
	}
	if (l->protocol.out.len > 0)
		link_touch(l);
	return l->state != LINK_NONE;
}

static void log_in(struct link *l)
{
	REQUIRE(l->state == LINK_HANDSHAKE || l->state == LINK_UPGRADE);
	l->state = LINK_LOGIN;
	mqtt_protocol_open(&l->protocol, slice_of_str(l->id), now_ms(l->pool));
	link_touch(l);
}

/* What came over the wire, in place. False: it is over. */
static bool take_wire(struct link *l, uint8_t *bytes, size_t len)
{
	size_t plain;

	if (l->pool->settings->websocket == NULL)
		return take_bytes(l, slice_of(bytes, len));
	if (!mqtt_websocket_input(&l->websocket, bytes, len, &plain, &l->wire, &l->pool->why)) {
		end(l, "the broker closed the WebSocket");
		return false;
	}
	if (l->wire.len > 0)
		link_touch(l);
	if (l->state == LINK_UPGRADE && l->websocket.state == MQTT_WEBSOCKET_OPEN)
		log_in(l);
	return plain == 0 || take_bytes(l, slice_of(bytes, plain));
}

/* Why a connection ended without a word, by how far it had come. */
static const char *end_text(const struct link *l)
{
	if (l->state == LINK_UPGRADE)
		return "the broker closed the connection instead of opening a WebSocket";
	return l->state == LINK_LOGIN ? "the broker closed the connection instead of answering "
	                                "CONNECT"
	                              : "the broker closed the connection";
}

/* After some rounds others have waited long enough; but what OpenSSL has taken from the socket
 * already would wake nobody. */
static void receive(struct link *l)
{
	int ssl_error;
	ssize_t n = 1;

	for (unsigned rounds = 0;
	     n > 0 && (rounds < ROUNDS || mqtt_transport_has_bytes(&l->transport)); rounds++) {
		n = mqtt_transport_read(&l->transport, l->pool->bytes, READ_BYTES, &ssl_error);
		l->pool->now_ns = clock_monotonic_ns();
		if (n > 0 && !take_wire(l, l->pool->bytes, (size_t)n))
			return;
	}
	if (n < 0)
		end(l, end_text(l));
}

void link_read_slowly(struct link *l, size_t max_bytes)
{
	int ssl_error;
	ssize_t n = 1;

	REQUIRE(l->slow);
	while (l->state == LINK_OPEN && max_bytes > 0 && n > 0) {
		n = mqtt_transport_read(&l->transport, l->pool->bytes,
		                        max_bytes < READ_BYTES ? max_bytes : READ_BYTES,
		                        &ssl_error);
		l->pool->now_ns = clock_monotonic_ns();
		if (n > 0 && !take_wire(l, l->pool->bytes, (size_t)n))
			return;
		max_bytes -= n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		end(l, end_text(l));
}

/* TLS is there, or not wanted. */
static void begin_session(struct link *l)
{
	const struct link_settings *s = l->pool->settings;

	if (s->websocket == NULL) {
		log_in(l);
		return;
	}
	l->state = LINK_UPGRADE;
	mqtt_websocket_ask(&l->websocket, s->authority, s->websocket, &l->wire);
	link_touch(l);
}

static void shake(struct link *l)
{
	enum mqtt_handshake result =
	    mqtt_transport_shake(&l->transport, l->pool->tls, &l->problem, &l->pool->why);

	want_out(l, result == MQTT_HANDSHAKE_WANTS_WRITE);
	switch (result) {
	case MQTT_HANDSHAKE_DONE:
		l->pool->handshakes++;
		l->pool->resumed += SSL_session_reused(l->transport.ssl) == 1;
		begin_session(l);
		break;
	case MQTT_HANDSHAKE_WANTS_READ:
	case MQTT_HANDSHAKE_WANTS_WRITE:
		break;
	case MQTT_HANDSHAKE_UNTRUSTED:
	case MQTT_HANDSHAKE_FAILED:
		end(l, "the TLS handshake failed");
		break;
	}
}

static void on_dialed(struct link *l)
{
	int error = mqtt_transport_connect_error(l->transport.fd);

	if (error != 0) {
		end(l, strerror(error));
		return;
	}
	want_out(l, false);
	l->state = LINK_HANDSHAKE;
	if (l->transport.ssl != NULL)
		shake(l);
	else
		begin_session(l);
}

static void on_event(struct link *l, uint32_t events)
{
	if (l->state == LINK_NONE)
		return;
	if (l->state == LINK_DIALING) {
		on_dialed(l);
		return;
	}
	if (l->state == LINK_HANDSHAKE) {
		shake(l);
		return;
	}
	if ((events & EPOLLOUT) != 0)
		link_touch(l);
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	/* A slow one hears of the end only this way. */
	if (l->slow && l->state == LINK_OPEN && (events & EPOLLIN) == 0)
		end(l, end_text(l));
	else
		receive(l);
}

static int wait_for_events(const struct link_pool *p, struct epoll_event *events, uint64_t until_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000),
	                           .tv_nsec = (long)(wait_ns % 1000000000)};

	return epoll_pwait2(p->epoll, events, EVENTS, &timeout, NULL);
}

void link_pool_turn(struct link_pool *p, uint64_t until_ns)
{
	struct epoll_event events[EVENTS];
	eventfd_t value;
	int count;

	flush_dirty(p);
	count = wait_for_events(p, events, until_ns);
	p->now_ns = clock_monotonic_ns();
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == NULL)
			(void)eventfd_read(p->wake, &value);
		else
			on_event(events[i].data.ptr, events[i].events);
	}
	flush_dirty(p);
}
