/* uv_poll on a transport. */
#include "mqtt/mqtt_socket.h"

#include "base/require.h"

enum handle {
	HANDLE_POLL = 1,
	HANDLE_TIMER = 2,
};

void mqtt_socket_init(struct mqtt_socket *s, uv_loop_t *loop,
                      const struct mqtt_socket_events *events)
{
	*s = (struct mqtt_socket){.loop = loop, .events = events, .transport.fd = -1};
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

	REQUIRE(s->transport.fd < 0 && fd >= 0 && (s->handles & HANDLE_POLL) == 0);
	s->transport.fd = fd;
	rc = uv_poll_init(s->loop, &s->poll, fd);
	if (rc != 0)
		return rc;
	s->poll.data = s;
	s->handles |= HANDLE_POLL;
	return 0;
}

void mqtt_socket_watch(struct mqtt_socket *s, int events)
{
	if (events == s->polled || s->transport.fd < 0)
		return;
	s->polled = events;
	if (events == 0)
		(void)uv_poll_stop(&s->poll);
	else
		(void)uv_poll_start(&s->poll, events, on_poll);
}

void mqtt_socket_close(struct mqtt_socket *s, bool says_so)
{
	if ((s->handles & HANDLE_POLL) != 0 && !uv_is_closing((uv_handle_t *)&s->poll)) {
		(void)uv_poll_stop(&s->poll);
		uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	}
	mqtt_transport_close(&s->transport, says_so);
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
