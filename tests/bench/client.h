/* MQTT clients over TLS on one epoll.  Bytes written are kept until pool_turn sends them: what was
 * put in one turn leaves in one write. Only as much MQTT as a load needs; decoding and encoding of
 * packets is the broker's own. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "load.h"
#include "proto/frame.h"

struct client;

enum client_state {
	CLIENT_NONE, /* not connected, or no longer */
	CLIENT_DIALING,
	CLIENT_HANDSHAKE,
	CLIENT_LOGIN, /* CONNECT is sent */
	CLIENT_OPEN,
	CLIENT_LEAVING, /* DISCONNECT is sent: the broker closes */
};

/* Packets behind CONNACK. The client may put, but not close. */
typedef void (*client_packet)(struct client *c, const struct frame *f);

struct pool {
	const struct options *options;
	SSL_CTX *tls;
	int epoll;
	size_t open, left;    /* clients that came to OPEN; that left and are closed */
	struct client *dirty; /* have something to send */
};

struct client {
	struct pool *pool;
	SSL *ssl;
	int fd;
	enum client_state state;
	bool is_dirty, wants_out;
	bool persistent;     /* MQTT: clean start off */
	struct client *next; /* dirty */
	struct buf in, out;  /* the start of a packet; what is to be sent */
	client_packet on_packet;
	void *owner;
	uint64_t received, acked; /* for the scenario */
	char id[32];
};

void pool_init(struct pool *p, const struct options *o);
void pool_fini(struct pool *p);
/* Wait for something to happen, at most timeout_ms, let it happen, and send what was put. */
void pool_turn(struct pool *p, int timeout_ms);

/* `c` is zeroed; kind and number make its client id. */
void client_init(struct client *c, struct pool *p, const char *kind, size_t number);
void client_fini(struct client *c);
/* Dial and log in; pool->open counts when it is done. */
void client_start(struct client *c);
/* Send DISCONNECT; pool->left counts when the broker has closed. */
void client_leave(struct client *c);
/* Put bytes in c->out, then say so. */
void client_touch(struct client *c);
void client_put_subscribe(struct client *c, uint16_t packet_id, const char *const *filters,
                          size_t count, uint8_t qos);
/* A SUBACK that grants everything; another ends the run. */
void client_check_suback(const struct client *c, const struct frame *f);
/* Start clients, at most at_once on their way, until all are open. */
void clients_open(struct pool *p, struct client *clients, size_t count);
void clients_close(struct client *clients, size_t count);

#endif
