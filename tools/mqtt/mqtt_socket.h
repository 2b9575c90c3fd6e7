/* The socket of a client's connection: bytes through TLS or without, what libuv watches for it, and
 * one timer.  Closing is over when libuv has let go of the handles (on_closed).
 * Thread: that of its loop. */
#ifndef MQTT_MQTT_SOCKET_H
#define MQTT_MQTT_SOCKET_H

#include <openssl/ssl.h>
#include <uv.h>

#include "base/bytes.h"

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
	SSL *ssl;        /* NULL: none, or not yet */
	int fd;          /* -1: none */
	int polled;      /* events that libuv waits for */
	uint8_t handles; /* that libuv has not closed */
};

void mqtt_socket_init(struct mqtt_socket *s, uv_loop_t *loop,
                      const struct mqtt_socket_events *events);
/* Watch `fd`, which belongs to it from now on. 0 or an error of libuv. */
int mqtt_socket_open(struct mqtt_socket *s, int fd);
/* Call on_ready for these events; 0: for none. Nothing without a socket. */
void mqtt_socket_watch(struct mqtt_socket *s, int events);
/* Bytes written; 0: not now; -1: never again. */
ssize_t mqtt_socket_write(struct mqtt_socket *s, struct slice bytes);
/* As many bytes as there are; 0: none now; -1: it has ended, *ssl_error says how. */
ssize_t mqtt_socket_read(struct mqtt_socket *s, uint8_t *out, size_t cap, int *ssl_error);
/* Close the socket, with `says_so` after TLS's close_notify. */
void mqtt_socket_close(struct mqtt_socket *s, bool says_so);

/* The timer is there until it is closed. */
void mqtt_socket_start_timer(struct mqtt_socket *s);
/* Call on_timer once at that time of the loop; UINT64_MAX: not. */
void mqtt_socket_set_timer(struct mqtt_socket *s, uint64_t when_ms);
void mqtt_socket_close_timer(struct mqtt_socket *s);

#endif
