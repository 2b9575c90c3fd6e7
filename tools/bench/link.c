/* Sockets, and what of the client library goes through them. Where the broker or the kernel ends a
 * connection, on_closed says why. */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "base/utf8.h"
#include "mqtt/mqtt_dial.h"

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
	if (l->ssl != NULL) /* else OpenSSL would take its session for a broken one */
		SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(l->ssl);
	l->ssl = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
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

	ERR_clear_error();
	drop(l);
	if (words->len == 0)
		buf_put_slice(words, slice_of_str(why));
	buf_put_u8(words, '\0');
	REQUIRE(l->fd < 0);
	l->events->on_closed(l, wanted ? NULL : (const char *)words->data);
	buf_clear(words);
}

/* --- events of the protocol --- */

/* "the broker refused CONNECT: Not authorized (0x87): words of the broker" */
static void put_reason(struct link *l, const char *what, const char *name, enum reason reason,
                       const struct properties *p)
{
	struct buf *out = &l->pool->why;

	buf_printf(out, "%s: %s (0x%02x)", what, name, (unsigned)reason);
	if (p->reason_string.len > 0) {
		buf_put_slice(out, SLICE(": "));
		utf8_put_printable(out, p->reason_string);
	}
}

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct link *l = arg;

	if (ack->reason != REASON_SUCCESS) {
		put_reason(l, "the broker refused CONNECT", reason_name(ack->reason), ack->reason,
		           p);
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
	put_reason(arg, "the broker sent DISCONNECT", reason_name_of_close(reason), reason, p);
}

static const struct mqtt_events hooks = {on_connack, on_message, on_answer, on_disconnect, NULL};

void link_init(struct link *l, struct link_pool *p, const struct link_events *events, bool kept)
{
	REQUIRE(l->pool == NULL && events->on_message != NULL && events->on_closed != NULL);
	l->pool = p;
	l->events = events;
	l->fd = -1;
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

	return epoll_ctl(l->pool->epoll, operation, l->fd, &event) == 0;
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
	l->ssl =
	    mqtt_tls_connect(l->pool->tls, l->pool->settings->host, l->fd, &l->problem, &l->ticket);
	if (l->ssl == NULL)
		return false;
	SSL_set_read_ahead(l->ssl, !l->slow);
	return true;
}

void link_start(struct link *l)
{
	const struct link_settings *s = l->pool->settings;
	int on = 1, small = SLOW_RECEIVE_BUFFER;

	REQUIRE(l->state == LINK_NONE && l->fd < 0 && l->ssl == NULL);
	l->state = LINK_DIALING;
	l->wants_out = true;
	l->fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		end(l, errno == EMFILE ? "no more open files are allowed: see ulimit -n"
		                       : strerror(errno));
		return;
	}
	if (s->address.ss_family != AF_UNIX)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (l->slow)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (mqtt_dial_bind(l->fd, s->source, s->address.ss_family) != 0 ||
	    (connect(l->fd, (const struct sockaddr *)&s->address, s->address_bytes) != 0 &&
	     errno != EINPROGRESS))
		end(l, strerror(errno));
	else if ((s->has_tls && !start_tls(l)) || !watch(l, EPOLL_CTL_ADD))
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

/* How much went; -1: the connection is broken. */
static ssize_t write_some(struct link *l, const uint8_t *data, size_t len)
{
	size_t n = 0;
	ssize_t sent;
	int result;

	if (l->ssl == NULL) {
		sent = send(l->fd, data, len, MSG_NOSIGNAL);
		return sent >= 0 ? sent : errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	}
	result = SSL_write_ex(l->ssl, data, len, &n);
	if (result == 1)
		return (ssize_t)n;
	result = SSL_get_error(l->ssl, result);
	return result == SSL_ERROR_WANT_WRITE || result == SSL_ERROR_WANT_READ ? 0 : -1;
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
		n = write_some(l, out->data + sent, out->len - sent);
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

/* How much came, 0: nothing now; -1: the end. */
static ssize_t read_some(struct link *l, size_t max_bytes)
{
	ssize_t got;
	size_t n = 0;
	int result;

	if (l->ssl == NULL) {
		got = recv(l->fd, l->pool->bytes, max_bytes, 0);
		return got > 0 ? got : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	result = SSL_read_ex(l->ssl, l->pool->bytes, max_bytes, &n);
	if (result == 1)
		return (ssize_t)n;
	result = SSL_get_error(l->ssl, result);
	return result == SSL_ERROR_WANT_READ || result == SSL_ERROR_WANT_WRITE ? 0 : -1;
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
	ssize_t n = 1;

	for (unsigned rounds = 0;
	     n > 0 && (rounds < ROUNDS || (l->ssl != NULL && SSL_has_pending(l->ssl) == 1));
	     rounds++) {
		n = read_some(l, READ_BYTES);
		l->pool->now_ns = clock_monotonic_ns();
		if (n > 0 && !take_wire(l, l->pool->bytes, (size_t)n))
			return;
	}
	if (n < 0)
		end(l, end_text(l));
}

void link_read_slowly(struct link *l, size_t max_bytes)
{
	ssize_t n = 1;

	REQUIRE(l->slow);
	while (l->state == LINK_OPEN && max_bytes > 0 && n > 0) {
		n = read_some(l, max_bytes < READ_BYTES ? max_bytes : READ_BYTES);
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
	int result, error;

	ERR_clear_error();
	result = SSL_do_handshake(l->ssl);
	error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(l->ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return;
	if (error == SSL_ERROR_NONE && mqtt_tls_accept(l->pool->tls, l->ssl, &l->problem)) {
		l->pool->handshakes++;
		l->pool->resumed += SSL_session_reused(l->ssl) == 1;
		begin_session(l);
		return;
	}
	if (l->problem.untrusted)
		buf_put_slice(&l->pool->why, buf_slice(&l->problem.words));
	else
		mqtt_tls_explain(l->pool->tls, error, &l->pool->why);
	end(l, "the TLS handshake failed");
}

static void on_dialed(struct link *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		end(l, strerror(error));
		return;
	}
	want_out(l, false);
	l->state = LINK_HANDSHAKE;
	if (l->ssl != NULL)
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
