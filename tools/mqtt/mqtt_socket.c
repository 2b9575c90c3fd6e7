/* uv_poll on a socket, OpenSSL above it. */
#include "mqtt/mqtt_socket.h"

#include <errno.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/require.h"

#define WRITE_BYTES_MAX ((size_t)1 << 30)

enum handle {
	HANDLE_POLL = 1,
	HANDLE_TIMER = 2,
};

void mqtt_socket_init(struct mqtt_socket *s, uv_loop_t *loop,
                      const struct mqtt_socket_events *events)
{
	*s = (struct mqtt_socket){.loop = loop, .events = events, .fd = -1};
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct mqtt_socket *s = handle->data;

	s->handles &= (uint8_t) ~(handle == (uv_handle_t *)&s->poll ? HANDLE_POLL : HANDLE_TIMER);
	s->events->on_closed(s);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct mqtt_socket *s = poll->data;

	if (status < 0) { /* libuv has stopped the handle; reading says what it is */
		s->polled = 0;
		events |= UV_READABLE;
	}
	s->events->on_ready(s, events);
}

int mqtt_socket_open(struct mqtt_socket *s, int fd)
{
	int rc;

	REQUIRE(s->fd < 0 && fd >= 0 && (s->handles & HANDLE_POLL) == 0);
	s->fd = fd;
	rc = uv_poll_init(s->loop, &s->poll, fd);
	if (rc != 0)
		return rc;
	s->poll.data = s;
	s->handles |= HANDLE_POLL;
	return 0;
}

void mqtt_socket_watch(struct mqtt_socket *s, int events)
{
	if (events == s->polled || s->fd < 0)
		return;
	s->polled = events;
	if (events == 0)
		(void)uv_poll_stop(&s->poll);
	else
		(void)uv_poll_start(&s->poll, events, on_poll);
}

ssize_t mqtt_socket_write(struct mqtt_socket *s, struct slice bytes)
{
	ssize_t n;
	int rc;

	REQUIRE(s->fd >= 0);
	if (s->ssl == NULL) {
		n = send(s->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	if (bytes.len > WRITE_BYTES_MAX)
		bytes.len = WRITE_BYTES_MAX;
	ERR_clear_error();
	rc = SSL_write(s->ssl, bytes.data, (int)bytes.len);
	if (rc > 0)
		return rc;
	rc = SSL_get_error(s->ssl, rc);
	return rc == SSL_ERROR_WANT_WRITE || rc == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t mqtt_socket_read(struct mqtt_socket *s, uint8_t *out, size_t cap, int *ssl_error)
{
	ssize_t n;
	int rc;

	REQUIRE(s->fd >= 0 && cap > 0 && cap <= INT_MAX);
	*ssl_error = SSL_ERROR_NONE;
	if (s->ssl == NULL) {
		n = recv(s->fd, out, cap, 0);
		return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	ERR_clear_error();
	rc = SSL_read(s->ssl, out, (int)cap);
	if (rc > 0)
		return rc;
	*ssl_error = SSL_get_error(s->ssl, rc);
	if (*ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		*ssl_error = SSL_ERROR_SYSCALL;
	return *ssl_error == SSL_ERROR_WANT_READ || *ssl_error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void mqtt_socket_close(struct mqtt_socket *s, bool says_so)
{
	if (s->ssl != NULL && says_so)
		(void)SSL_shutdown(s->ssl);
	/* Otherwise OpenSSL would spoil the ticket. */
	if (s->ssl != NULL)
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	ERR_clear_error();
	s->ssl = NULL;
	if ((s->handles & HANDLE_POLL) != 0 && !uv_is_closing((uv_handle_t *)&s->poll)) {
		(void)uv_poll_stop(&s->poll);
		uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	}
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	s->polled = 0;
}

/* ---- the timer ---- */

static void on_timer(uv_timer_t *timer)
{
	struct mqtt_socket *s = timer->data;

	s->events->on_timer(s);
}

void mqtt_socket_start_timer(struct mqtt_socket *s)
{
	REQUIRE((s->handles & HANDLE_TIMER) == 0);
	(void)uv_timer_init(s->loop, &s->timer);
	s->timer.data = s;
	s->handles |= HANDLE_TIMER;
}

void mqtt_socket_set_timer(struct mqtt_socket *s, uint64_t when_ms)
{
	uint64_t now = uv_now(s->loop);

	REQUIRE((s->handles & HANDLE_TIMER) != 0);
	if (when_ms == UINT64_MAX)
		(void)uv_timer_stop(&s->timer);
	else
		(void)uv_timer_start(&s->timer, on_timer, when_ms > now ? when_ms - now : 0, 0);
}

void mqtt_socket_close_timer(struct mqtt_socket *s)
{
	if ((s->handles & HANDLE_TIMER) != 0 && !uv_is_closing((uv_handle_t *)&s->timer))
		uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}
