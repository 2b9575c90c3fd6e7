/* The clients of a load, thousands on one epoll: the protocol, the transport (dial, handshake,
 * read, write, close) and WebSocket are the client library's (mqtt/); here is when each has its
 * turn.  A wait ends at a nanosecond and not at a millisecond, as an event loop would have it, and
 * what was put in one turn leaves in one write.  Thread: the one that calls link_pool_turn. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "link_settings.h"
#include "mqtt/mqtt_transport.h"
#include "mqtt/mqtt_websocket.h"

enum link_state {
	LINK_NONE, /* not connected, or no longer */
	LINK_DIALING,
	LINK_HANDSHAKE,
	LINK_UPGRADE, /* the request for a WebSocket is sent */
	LINK_LOGIN,   /* CONNECT is sent */
	LINK_OPEN,
	LINK_LEAVING, /* DISCONNECT is sent: the broker closes */
};

struct link;

/* In none of them a link is started or freed, except that on_closed may start it. */
struct link_events {
	/* CONNACK came and lets it in. */
	void (*on_open)(struct link *l);
	/* Acknowledged when it returns. */
	void (*on_message)(struct link *l, const struct publish *message);
	/* May be NULL. */
	void (*on_answer)(struct link *l, const struct mqtt_answer *answer);
	/* It is over; `why` is NULL where that was wanted (LINK_LEAVING). */
	void (*on_closed)(struct link *l, const char *why);
	/* What could not be sent at once has gone. May be NULL. */
	void (*on_drained)(struct link *l);
};

struct link {
	struct link_pool *pool;
	const struct link_events *events;
	struct mqtt_protocol protocol;
	struct mqtt_transport transport;
	SSL_SESSION *ticket; /* for the next connection; NULL: none */
	struct mqtt_tls_problem problem;
	struct mqtt_websocket websocket;
	struct buf wire; /* with a WebSocket: the frames that are to be sent */
	enum link_state state;
	bool is_dirty, wants_out;
	bool slow;         /* reads only when link_read_slowly is called */
	struct link *next; /* dirty */
	char id[24];
};

/* A socket that does not take so much holds up its publisher. */
#define LINK_FULL_BYTES ((size_t)262144)

struct link_pool {
	const struct link_settings *settings;
	struct mqtt_tls *tls;
	int epoll, wake; /* wake: an eventfd that ends a wait */
	uint64_t now_ns; /* of the last read */
	struct link *dirty;
	uint8_t *bytes; /* to read into */
	struct buf why; /* what ends a connection */
	uint64_t resumed, handshakes;
};

/* False: no descriptors. */
bool link_pool_init(struct link_pool *p, const struct link_settings *settings);
void link_pool_fini(struct link_pool *p);
/* Wait for something to happen, until a time on the monotonic clock at most, let it happen, and
 * send what was put. */
void link_pool_turn(struct link_pool *p, uint64_t until_ns);
/* End a wait; any thread. */
void link_pool_wake(struct link_pool *p);

/* `l` is zeroed; the id is printed into l->id by the caller. `kept`: with a session that outlives
 * the connection. */
void link_init(struct link *l, struct link_pool *p, const struct link_events *events, bool kept);
void link_fini(struct link *l);
/* Dial and log in: on_open or on_closed follows. */
void link_start(struct link *l);
/* Send DISCONNECT: on_closed follows when the broker has closed. */
void link_leave(struct link *l);
/* Something was put with l->protocol: it leaves at the end of the turn. */
void link_touch(struct link *l);
/* Of a slow one: read so many bytes at most. */
void link_read_slowly(struct link *l, size_t max_bytes);
/* Send PINGREQ where it is time; where it was not answered, it is over. */
void link_keep_alive(struct link *l);

static inline bool link_is_full(const struct link *l)
{
	return l->protocol.out.len + l->wire.len > LINK_FULL_BYTES;
}

#endif
