/* The transport of a client's connection: a socket that connects, TLS above it, bytes in and out,
 * and the close.  It never waits: whoever has the event loop (mqtt_socket.c with libuv,
 * broker-bench with epoll) waits for the socket.  Thread: the caller's, one at a time. */
#ifndef MQTT_MQTT_TRANSPORT_H
#define MQTT_MQTT_TRANSPORT_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "mqtt/mqtt_tls.h"

/* Members are for reading. */
struct mqtt_transport {
	int fd;   /* -1: none */
	SSL *ssl; /* NULL: none, or not yet */
};

/* All borrowed. */
struct mqtt_target {
	const struct sockaddr *address;
	socklen_t address_bytes;
	const char *source;       /* address to connect from; NULL: any, and for a Unix socket */
	int receive_buffer_bytes; /* of the socket; 0: the system's */
};

/* The address of a Unix socket. False: the path is longer than one can be. */
bool mqtt_target_unix(const char *path, struct sockaddr_un *address);

/* Begin to connect. A socket, or -errno. When it is writable, mqtt_transport_connect_error says
 * what came of it. */
int mqtt_transport_dial(const struct mqtt_target *target);
/* 0: connected; or an errno. */
int mqtt_transport_connect_error(int fd);

enum mqtt_handshake {
	MQTT_HANDSHAKE_DONE,
	MQTT_HANDSHAKE_WANTS_READ, /* again when the socket is readable */
	MQTT_HANDSHAKE_WANTS_WRITE,
	MQTT_HANDSHAKE_UNTRUSTED, /* the server's certificate or key is not the right one */
	MQTT_HANDSHAKE_FAILED,
};

/* A step of the handshake after mqtt_tls_connect. UNTRUSTED and FAILED append to `words` why, with
 * a remedy. */
enum mqtt_handshake mqtt_transport_shake(struct mqtt_transport *t, struct mqtt_tls *tls,
                                         struct mqtt_tls_problem *problem, struct buf *words);
/* Bytes written; 0: not now; -1: never again. */
ssize_t mqtt_transport_write(struct mqtt_transport *t, struct slice bytes);
/* As many bytes as there are; 0: none now; -1: it has ended, *ssl_error says how. */
ssize_t mqtt_transport_read(struct mqtt_transport *t, uint8_t *out, size_t cap, int *ssl_error);
/* Has OpenSSL taken bytes from the socket that were not read? Nothing wakes their reader. */
bool mqtt_transport_has_bytes(const struct mqtt_transport *t);
/* Close what is open, with `says_so` after TLS's close_notify. */
void mqtt_transport_close(struct mqtt_transport *t, bool says_so);

#endif
