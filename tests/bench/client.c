/* TLS on non-blocking sockets, framing, and the packets that a client sends.  See client.h. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

enum { EVENTS = 256, READ_BYTES = 65536 };

void pool_init(struct pool *p, const struct options *o)
{
	*p = (struct pool){.options = o, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	p->tls = SSL_CTX_new(TLS_client_method());
	if (p->epoll < 0 || p->tls == NULL)
		die("no epoll or no TLS context");
	if (SSL_CTX_load_verify_locations(p->tls, o->ca, NULL) != 1)
		die("cannot load the CA %s", o->ca);
	SSL_CTX_set_verify(p->tls, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(p->tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(p->tls, LOAD_CIPHER) != 1 ||
	    SSL_CTX_set1_groups_list(p->tls, load_group) != 1)
		die("the TLS library does not have what is measured");
	SSL_CTX_set_mode(p->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                             SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(p->tls, SSL_SESS_CACHE_OFF);
}

void pool_fini(struct pool *p)
{
	SSL_CTX_free(p->tls);
	close(p->epoll);
}

/* --- sockets --- */

void client_init(struct client *c, struct pool *p, const char *kind, size_t number)
{
	c->pool = p;
	c->fd = -1;
	snprintf(c->id, sizeof(c->id), "%s%zu", kind, number);
}

static void drop_connection(struct client *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CLIENT_NONE;
	c->wants_out = false;
	buf_fini(&c->in);
	buf_fini(&c->out);
}

void client_fini(struct client *c)
{
	drop_connection(c);
}

static void on_closed(struct client *c)
{
	if (c->state != CLIENT_LEAVING)
		die("the broker closed the connection of %s (state %d)", c->id, (int)c->state);
	c->pool->left++;
	drop_connection(c);
}

static void watch(struct client *c, int operation, bool out)
{
	struct epoll_event event = {.events = EPOLLIN | (out ? (unsigned)EPOLLOUT : 0),
	                            .data.ptr = c};

	if (epoll_ctl(c->pool->epoll, operation, c->fd, &event) != 0)
		die("epoll_ctl: errno %d", errno);
	c->wants_out = out;
}

static void want_out(struct client *c, bool out)
{
	if (c->wants_out != out)
		watch(c, EPOLL_CTL_MOD, out);
}

void client_start(struct client *c)
{
	const struct options *o = c->pool->options;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
	int on = 1;

	if (inet_pton(AF_INET, o->host, &to.sin_addr) != 1)
		die("not an address: %s", o->host);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: errno %d", errno);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
		die("connect: errno %d", errno);
	c->ssl = SSL_new(c->pool->tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		die("no memory for TLS");
	SSL_set_app_data(c->ssl, c);
	SSL_set_connect_state(c->ssl);
	SSL_set_read_ahead(c->ssl, 1);
	c->state = CLIENT_DIALING;
	watch(c, EPOLL_CTL_ADD, true);
}

/* --- sending --- */

void client_touch(struct client *c)
{
	if (c->is_dirty)
		return;
	c->is_dirty = true;
	c->next = c->pool->dirty;
	c->pool->dirty = c;
}

static void flush(struct client *c)
{
	size_t sent = 0, n;
	int result = 1;

	while (sent < c->out.len &&
	       (result = SSL_write_ex(c->ssl, c->out.data + sent, c->out.len - sent, &n)) == 1)
		sent += n;
	if (result != 1 && SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_WRITE)
		die("%s cannot write", c->id);
	buf_consume(&c->out, sent);
	want_out(c, c->out.len > 0);
}

static void flush_dirty(struct pool *p)
{
	while (p->dirty != NULL) {
		struct client *c = p->dirty;

		p->dirty = c->next;
		c->is_dirty = false;
		if (c->state >= CLIENT_LOGIN)
			flush(c);
	}
}

static void put_connect(struct client *c)
{
	const struct options *o = c->pool->options;
	struct buf *out = &c->out;
	bool persistent = c->persistent;
	bool v5 = o->version == 5;
	size_t properties = !v5 ? 0 : persistent ? 6 : 1;

	frame_put_header(out, PACKET_CONNECT, 0,
	                 10 + properties + 6 + strlen(c->id) + strlen(o->user) +
	                     strlen(o->password));
	buf_put_string(out, SLICE("MQTT"));
	buf_put_u8(out, (uint8_t)o->version);
	buf_put_u8(out, (uint8_t)(0xc0 | (persistent ? 0 : 2)));
	buf_put_u16(out, 600);
	if (v5)
		buf_put_u8(out, (uint8_t)(properties - 1));
	if (v5 && persistent) {
		buf_put_u8(out, 0x11); /* Session Expiry Interval */
		buf_put_u32(out, 3600);
	}
	buf_put_string(out, slice_of_str(c->id));
	buf_put_string(out, slice_of_str(o->user));
	buf_put_string(out, slice_of_str(o->password));
	client_touch(c);
}

void client_leave(struct client *c)
{
	frame_put_header(&c->out, PACKET_DISCONNECT, 0, 0);
	c->state = CLIENT_LEAVING;
	client_touch(c);
}

void client_put_subscribe(struct client *c, uint16_t packet_id, const char *const *filters,
                          size_t count, uint8_t qos)
{
	bool v5 = c->pool->options->version == 5;
	size_t body = v5 ? 3 : 2;

	for (size_t i = 0; i < count; i++)
		body += 3 + strlen(filters[i]);
	frame_put_header(&c->out, PACKET_SUBSCRIBE, 2, body);
	buf_put_u16(&c->out, packet_id);
	if (v5)
		buf_put_u8(&c->out, 0);
	for (size_t i = 0; i < count; i++) {
		buf_put_string(&c->out, slice_of_str(filters[i]));
		buf_put_u8(&c->out, qos);
	}
	client_touch(c);
}

/* --- receiving --- */

static void on_connack(struct client *c, const struct frame *f)
{
	if (f->type != PACKET_CONNACK || f->body.len < 2 || f->body.data[1] != 0)
		die("%s was not let in", c->id);
	c->state = CLIENT_OPEN;
	c->pool->open++;
}

static void take_packets(struct client *c, struct slice *in)
{
	struct frame f;
	size_t needed;
	enum frame_result result;

	while ((result = frame_next(in, FRAME_SIZE_MAX, &f, &needed)) == FRAME_COMPLETE) {
		if (c->state == CLIENT_LOGIN)
			on_connack(c, &f);
		else if (f.type == PACKET_DISCONNECT)
			die("the broker sent DISCONNECT to %s", c->id);
		else if (c->on_packet != NULL)
			c->on_packet(c, &f);
	}
	if (result != FRAME_INCOMPLETE)
		die("%s received nonsense", c->id);
}

static void take_bytes(struct client *c, struct slice bytes)
{
	struct slice in = bytes;

	if (c->in.len > 0) {
		buf_put_slice(&c->in, bytes);
		in = buf_slice(&c->in);
	}
	take_packets(c, &in);
	if (c->in.len == 0)
		buf_put_slice(&c->in, in);
	else
		buf_consume(&c->in, c->in.len - in.len);
	if (c->in.len == 0)
		buf_fini(&c->in);
}

/* Reads until the socket is empty. */
static void receive(struct client *c)
{
	static uint8_t bytes[READ_BYTES];
	size_t n;
	int result;

	while ((result = SSL_read_ex(c->ssl, bytes, sizeof(bytes), &n)) == 1)
		take_bytes(c, slice_of(bytes, n));
	if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ) {
		ERR_clear_error();
		on_closed(c);
	}
}

static void shake(struct client *c)
{
	int result = SSL_do_handshake(c->ssl);
	int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, result);

	if (error == SSL_ERROR_NONE) {
		c->state = CLIENT_LOGIN;
		put_connect(c);
	} else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
		die("the TLS handshake of %s failed: %s", c->id,
		    ERR_reason_error_string(ERR_peek_error()));
	}
}

static void on_event(struct client *c, uint32_t events)
{
	if (c->state == CLIENT_DIALING) {
		want_out(c, false);
		c->state = CLIENT_HANDSHAKE;
	}
	if (c->state == CLIENT_HANDSHAKE) {
		shake(c);
		return;
	}
	if ((events & EPOLLOUT) != 0)
		client_touch(c);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		receive(c);
}

void pool_turn(struct pool *p, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int count;

	flush_dirty(p);
	count = epoll_wait(p->epoll, events, EVENTS, timeout_ms);
	for (int i = 0; i < count; i++)
		on_event(events[i].data.ptr, events[i].events);
	flush_dirty(p);
}

void client_check_suback(const struct client *c, const struct frame *f)
{
	struct reader r = reader_of(f->body);

	(void)read_u16(&r);
	if (c->pool->options->version == 5)
		(void)read_bytes(&r, read_varint(&r));
	do {
		if (read_u8(&r) > 2 || r.bad)
			die("%s may not subscribe", c->id);
	} while (reader_left(&r) > 0);
}

/* --- many --- */

void clients_open(struct pool *p, struct client *clients, size_t count)
{
	size_t before = p->open, started = 0;

	while (p->open - before < count) {
		while (started < count && started - (p->open - before) < p->options->at_once)
			client_start(&clients[started++]);
		pool_turn(p, -1);
	}
}

void clients_close(struct client *clients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		client_fini(&clients[i]);
}
