/* The null sink's process: one epoll, and a row for each packet that wants an answer. */
#include "null_sink_serve.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"
#include "mqtt/mqtt_transport.h"
#include "proto/packet_ack.h"
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "proto/packet_ping.h"
#include "proto/packet_publish.h"

enum { EVENTS = 256, ROUNDS = 16, READ_BYTES = 65536 };

struct sink_client {
	struct mqtt_transport transport;
	struct buf in, out;
	enum mqtt_version version;
	bool wants_out;
};

struct sink {
	int epoll, listener;
	SSL_CTX *tls;
	uint8_t *bytes;
};

/* ---- packets: false ends the connection ---- */

typedef bool sink_handler(struct sink_client *c, const struct frame *f);

static bool on_connect(struct sink_client *c, const struct frame *f)
{
	struct connect connect;
	struct connack ack = {.reason = REASON_SUCCESS, .max_qos = 2, .topic_alias_maximum = 65535};

	if (!fault_is_none(packet_connect_decode(f, &connect)))
		return false;
	c->version = ack.version = connect.version;
	packet_connack_encode(&c->out, &ack);
	return true;
}

static bool on_publish(struct sink_client *c, const struct frame *f)
{
	struct publish m;

	if (!fault_is_none(packet_publish_decode(f, c->version, &m)))
		return false;
	if (m.qos > 0)
		packet_ack_encode(&c->out, c->version, m.qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
		                  m.packet_id, REASON_SUCCESS, SLICE_EMPTY);
	return true;
}

static bool on_pubrel(struct sink_client *c, const struct frame *f)
{
	struct ack ack;

	if (!fault_is_none(packet_ack_decode(f, c->version, &ack)))
		return false;
	packet_ack_encode(&c->out, c->version, PACKET_PUBCOMP, ack.packet_id, REASON_SUCCESS,
	                  SLICE_EMPTY);
	return true;
}

static bool on_pingreq(struct sink_client *c, const struct frame *f)
{
	(void)f;
	packet_ping_encode(&c->out);
	return true;
}

static sink_handler *const handlers[16] = {
    [PACKET_CONNECT] = on_connect,
    [PACKET_PUBLISH] = on_publish,
    [PACKET_PUBREL] = on_pubrel,
    [PACKET_PINGREQ] = on_pingreq,
};

static bool take_bytes(struct sink_client *c, struct slice bytes)
{
	struct slice rest;
	struct frame f;
	size_t needed;
	enum frame_result result;
	bool goes_on = true;

	REQUIRE(bytes.len > 0 && bytes.len <= READ_BYTES);
	buf_put_slice(&c->in, bytes);
	rest = buf_slice(&c->in);
	while (goes_on &&
	       (result = frame_next(&rest, FRAME_SIZE_MAX, &f, &needed)) == FRAME_COMPLETE)
		goes_on = handlers[f.type] != NULL && handlers[f.type](c, &f);
	buf_consume(&c->in, c->in.len - rest.len);
	return goes_on && result == FRAME_INCOMPLETE;
}

/* ---- clients ---- */

static void drop(struct sink_client *c)
{
	mqtt_transport_close(&c->transport, false);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static bool flush(const struct sink *s, struct sink_client *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n = 1;
	bool waits;

	REQUIRE(c->transport.fd >= 0);
	while (c->out.len > 0 && n > 0) {
		n = mqtt_transport_write(&c->transport, buf_slice(&c->out));
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
	}
	waits = c->out.len > 0;
	if (waits != c->wants_out) {
		event.events |= waits ? (unsigned)EPOLLOUT : 0;
		(void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->transport.fd, &event);
	}
	c->wants_out = waits;
	return n >= 0;
}

/* With TLS the handshake is a part of the first reads. */
static bool receive(const struct sink *s, struct sink_client *c)
{
	int ssl_error;
	ssize_t n = 1;

	for (unsigned i = 0; n > 0 && (i < ROUNDS || mqtt_transport_has_bytes(&c->transport));
	     i++) {
		n = mqtt_transport_read(&c->transport, s->bytes, READ_BYTES, &ssl_error);
		if (n < 0 || (n > 0 && !take_bytes(c, slice_of(s->bytes, (size_t)n))))
			return false;
	}
	return true;
}

static void accept_one(const struct sink *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct sink_client *c;
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0)
		return; /* another process was faster */
	c = xnew(c);
	c->transport.fd = fd;
	event.data.ptr = c;
	if (s->tls != NULL) {
		c->transport.ssl = SSL_new(s->tls);
		if (c->transport.ssl == NULL || SSL_set_fd(c->transport.ssl, fd) != 1) {
			drop(c);
			return;
		}
		SSL_set_accept_state(c->transport.ssl);
	}
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		drop(c);
}

_Noreturn void null_sink_serve(int listener, SSL_CTX *tls)
{
	struct sink s = {.epoll = epoll_create1(EPOLL_CLOEXEC), .listener = listener, .tls = tls};
	struct epoll_event events[EVENTS], event = {.events = EPOLLIN | EPOLLEXCLUSIVE};

	s.bytes = xalloc(READ_BYTES);
	if (s.epoll < 0 || epoll_ctl(s.epoll, EPOLL_CTL_ADD, listener, &event) != 0)
		_exit(EXIT_FAILURE);
	for (;;) {
		int count = epoll_wait(s.epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			struct sink_client *c = events[i].data.ptr;

			if (c == NULL)
				accept_one(&s);
			else if (!receive(&s, c) || !flush(&s, c))
				drop(c);
		}
	}
}
