/* A client that only sends and receives bytes, and what a broker of one worker spends on it:
 * turn by turn, in CPU time and, if the broker is compiled so that every block of its code
 * counts itself (COUNTED), in steps. For test_work.c. */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include "world.h"

struct peer {
	struct world *w;
	struct wire *wire;
	size_t got_bytes;
	uint8_t last_type; /* of the received packets: the first byte of the newest */
	struct buf got;
	bool keeps; /* what it gets stays in `got` */
};

struct cost {
	double total_ms, turn_ms;   /* turn: the longest */
	uint64_t steps, turn_steps; /* the same */
	unsigned turns;
};

struct who {
	const char *id;
	uint32_t expiry_s;
	uint16_t receive_maximum, topic_aliases;
	bool resume;
	bool is_311;            /* MQTT 3.1.1 */
	size_t will_bytes;      /* of its will's payload; 0: it has none */
	const char *will_topic; /* NULL: "will" */
	uint8_t will_qos;
};

#ifdef COUNTED
#define IS_COUNTED true
#else
#define IS_COUNTED false
#endif

/* So far; 0 if they are not counted. */
uint64_t peer_steps(void);
/* One turn of the worker's loop, in which this peer (NULL: none) is read. False if nothing
 * happened. */
bool peer_turn(struct world *w, struct peer *p, struct cost *cost);
/* The same, with all of these in one turn. */
bool peers_turn(struct world *w, struct peer *peers, size_t count, struct cost *cost);
struct cost peers_run(struct world *w, struct peer *peers, size_t count);
/* Turns until nothing happens any more. */
struct cost peer_run(struct world *w, struct peer *p);
void peer_connect(struct peer *p, struct world *w, const struct who *who);
void peer_send(struct peer *p, struct slice bytes);
/* Takes over the body. */
void peer_send_packet(struct peer *p, uint8_t first, struct buf *body);
void peer_fini(struct peer *p);

/* Many of a kind. In formats %u is the number of each, from 0. */
void peer_subscribe_many(struct peer *p, const char *format, unsigned n, int options);
void peer_unsubscribe_many(struct peer *p, const char *format, unsigned n);
void peer_publish_many(struct peer *p, const char *format, unsigned n, uint8_t qos, bool retain);
/* `first` is the first byte of the acknowledgement. Of the identifiers 1 to n. */
void peer_acknowledge_many(struct peer *p, uint8_t first, unsigned n, bool backwards);
void peer_put_publish(struct buf *out, const char *topic, uint8_t qos, bool retain, uint16_t id);
/* The head of a SUBSCRIBE's or UNSUBSCRIBE's body. */
void peer_begin_request(struct buf *body, uint16_t packet_id);

#endif
