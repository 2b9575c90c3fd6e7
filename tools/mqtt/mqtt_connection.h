/* A client's connection: name look-up, TCP or a Unix socket, TLS, the MQTT protocol, keep alive,
 * and a new connection when one is lost.  Thread: that of its uv loop.
 *
 * Writes are collected: what is put inside an event leaves when the event is over, all else with
 * mqtt_connection_flush.  The program ignores SIGPIPE. */
#ifndef MQTT_MQTT_CONNECTION_H
#define MQTT_MQTT_CONNECTION_H

#include <sys/socket.h>

#include <uv.h>

#include "mqtt/mqtt_protocol.h"
#include "mqtt/mqtt_socket.h"
#include "mqtt/mqtt_tls.h"
#include "mqtt/mqtt_wire.h"

/* How far it got, and what ended it. */
enum mqtt_loss_kind {
	MQTT_LOSS_LOOKUP,       /* there is no such host */
	MQTT_LOSS_CONNECT,      /* nobody listens, or no way there */
	MQTT_LOSS_TIMEOUT,      /* before CONNACK */
	MQTT_LOSS_UNTRUSTED,    /* the server's certificate or key is not the right one */
	MQTT_LOSS_TLS,          /* the handshake failed otherwise */
	MQTT_LOSS_REFUSED,      /* CONNACK with an error */
	MQTT_LOSS_DISCONNECTED, /* the server's DISCONNECT */
	MQTT_LOSS_CLOSED,       /* closed or reset without a word */
	MQTT_LOSS_SILENCE,      /* no answer to PINGREQ */
	MQTT_LOSS_PROTOCOL,     /* the server broke the protocol */
	MQTT_LOSS_OURS,         /* mqtt_connection_stop: after DISCONNECT */
};

struct mqtt_loss {
	enum mqtt_loss_kind kind;
	/* REFUSED, DISCONNECTED, PROTOCOL */
	enum reason reason;
	/* It had been open. */
	bool was_open;
	/* What happened, which value, and what to do: one line without a newline. */
	const char *words;
	/* When the next one is tried; 0: not by itself. */
	uint64_t retry_ms;
};

/* Where to, and how. Borrowed by any number of connections. */
struct mqtt_endpoint {
	const char *host; /* name or address; NULL with a socket */
	uint16_t port;
	const char *socket_path; /* Unix socket, without TLS */
	struct mqtt_tls *tls;    /* NULL: none */
	const char *source;      /* address to connect from; NULL: any */
	/* MQTT over WebSocket at that path, which begins with '/' (mqtt_wire_path_refused); NULL:
	 * MQTT by itself. */
	const char *websocket_path;
	/* From the first packet to CONNACK; 0: 30 s. */
	uint64_t connect_timeout_ms;
	/* The pause before a new connection doubles from the first to the last, with chance added;
	 * 0: no new connection by itself. */
	uint64_t retry_min_ms, retry_max_ms;
};

struct mqtt_connection;

struct mqtt_connection_events {
	/* Events of the protocol; `arg` is the one of the connection. */
	struct mqtt_events protocol;
	/* Each connection that ends, also one that never began, once. mqtt_connection_start may be
	 * called. */
	void (*on_lost)(void *arg, const struct mqtt_loss *loss);
	/* Everything was written after bytes had to wait. May be NULL. */
	void (*on_drained)(void *arg);
	/* The messages and answers of one turn are over; what was put leaves now. May be NULL. */
	void (*on_read)(void *arg);
	/* TCP is connected; the handshake is done. For measuring; may be NULL. */
	void (*on_tcp)(void *arg);
	void (*on_tls)(void *arg, bool resumed);
};

/* What a connection is made of; all borrowed. */
struct mqtt_setup {
	uv_loop_t *loop;
	const struct mqtt_endpoint *endpoint;
	const struct mqtt_options *options;
	const struct mqtt_connection_events *events;
};

enum mqtt_stage {
	MQTT_STAGE_IDLE,
	MQTT_STAGE_WAITING, /* for the next attempt */
	MQTT_STAGE_LOOKUP,
	MQTT_STAGE_DIALLING,
	MQTT_STAGE_HANDSHAKE,
	MQTT_STAGE_UP,     /* MQTT: protocol.state */
	MQTT_STAGE_ENDING, /* DISCONNECT is being sent */
};

/* Members are for reading. */
struct mqtt_connection {
	struct mqtt_protocol protocol;
	struct mqtt_socket socket;
	struct mqtt_wire wire;
	const struct mqtt_endpoint *endpoint;
	const struct mqtt_connection_events *events;
	void *arg;
	struct slice client_id; /* borrowed */
	/* The last ticket: of the caller, who may take it, or set one before a start; freed by
	 * mqtt_connection_fini. */
	SSL_SESSION *ticket;
	struct mqtt_attempt *attempt; /* until it is UP, and when it ends */
	uint64_t wait_ms;             /* the last pause */
	uint64_t read_ns;             /* uv_hrtime of the last bytes */
	size_t written;               /* of protocol.out, or of wire.frames */
	enum mqtt_stage stage;
	enum reason end_reason; /* of the server's DISCONNECT */
	bool paused, blocked, broken, unread, stopping, in_events, has_ended, was_open, refused;
};

void mqtt_connection_init(struct mqtt_connection *c, const struct mqtt_setup *setup, void *arg,
                          struct slice client_id);
/* Frees what it has; it must be IDLE. */
void mqtt_connection_fini(struct mqtt_connection *c);

/* Connect. */
void mqtt_connection_start(struct mqtt_connection *c);
/* DISCONNECT with `reason`, close, and connect no more: on_lost follows, with MQTT_LOSS_OURS, also
 * where it was not open. Not sent within 5 s: closed without. */
void mqtt_connection_stop(struct mqtt_connection *c, enum reason reason);
/* Close it now without DISCONNECT (so the will happens); on_lost follows with MQTT_LOSS_OURS. */
void mqtt_connection_abort(struct mqtt_connection *c);
/* Send what was put into protocol.out. */
void mqtt_connection_flush(struct mqtt_connection *c);
/* Do not read until resumed: the server has to wait. */
void mqtt_connection_pause(struct mqtt_connection *c);
void mqtt_connection_resume(struct mqtt_connection *c);
/* Bytes put and not yet taken by the kernel. */
static inline size_t mqtt_connection_backlog(const struct mqtt_connection *c)
{
	return c->protocol.out.len + c->wire.frames.len - c->written;
}

#endif
