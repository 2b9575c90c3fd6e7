/* The transport of a client's connection on a uv loop: what libuv watches for it, and one timer.
 * Closing is over when libuv has let go of the handles (on_closed). Thread: that of its loop. */
#ifndef MQTT_MQTT_SOCKET_H
#define MQTT_MQTT_SOCKET_H

#include <uv.h>

#include "mqtt/mqtt_transport.h"

struct mqtt_socket;

struct mqtt_socket_events {
	/* The socket is ready: UV_READABLE, UV_WRITABLE. */
	void (*on_ready)(struct mqtt_socket *s, int events);
	void (*on_timer)(struct mqtt_socket *s);
	/* libuv has let go of the socket's or of the timer's handle. */
	void (*on_closed)(struct mqtt_socket *s);
};

/* Members are for reading. */
struct mqtt_socket {
	uv_loop_t *loop;
	const struct mqtt_socket_events *events;
	uv_poll_t poll;
	uv_timer_t timer;
	struct mqtt_transport transport;
	int polled;      /* events that libuv waits for */
	uint8_t handles; /* that libuv has not closed */
};

void mqtt_socket_init(struct mqtt_socket *s, uv_loop_t *loop,
                      const struct mqtt_socket_events *events);
/* Watch `fd`, which belongs to it from now on. 0 or an error of libuv. */
int mqtt_socket_open(struct mqtt_socket *s, int fd);
/* Call on_ready for these events; 0: for none. Nothing without a socket. */
void mqtt_socket_watch(struct mqtt_socket *s, int events);
/* Close the socket, with `says_so` after TLS's close_notify. */
void mqtt_socket_close(struct mqtt_socket *s, bool says_so);

/* The timer is there until it is closed. */
void mqtt_socket_start_timer(struct mqtt_socket *s);
/* Call on_timer once at that time of the loop; UINT64_MAX: not. */
void mqtt_socket_set_timer(struct mqtt_socket *s, uint64_t when_ms);
void mqtt_socket_close_timer(struct mqtt_socket *s);

#endif
