/* The protocol of an MQTT client, 3.1.1 and 5.0, without its connection: bytes and requests go in,
 * bytes come out in `out`, and events are called.  No I/O, and no clock of its own: whoever drives
 * it says what time it is.  A state outlives the connections it has: what is in flight is sent
 * again on the next one.
 *
 * Per message nothing is allocated: packets are decoded where they came, and what is in flight is
 * kept in a ring of entries and a queue of bytes, which grow to what is needed and stay.
 * Thread: the caller's, one at a time. */
#ifndef MQTT_MQTT_PROTOCOL_H
#define MQTT_MQTT_PROTOCOL_H

#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "proto/packet_publish.h"
#include "proto/packet_subscribe.h"

/* What a client asks for. Borrowed: one for any number of clients. */
struct mqtt_options {
	enum mqtt_version version;
	/* Do not resume a session. Of the first connection only: a later one resumes what the
	 * first one began, where it lives for longer than the connection (session_expiry_s, or
	 * clean_start false in 3.1.1). */
	bool clean_start;
	/* Keep a copy of what is in flight and send it again on the next connection. Without it
	 * what was in flight is given up when the connection ends (a load generator). */
	bool resends;
	/* 0: no PINGREQ, and the server does not watch. */
	uint16_t keep_alive_s;
	/* Messages of QoS 1 and 2 under way to us; 0: 65535. */
	uint16_t receive_maximum;
	/* Ours under way, where the server's Receive Maximum is not smaller; 0: as many as it
	 * permits. */
	uint16_t send_maximum;
	/* The largest packet to us; 0: no limit but the standard's. */
	uint32_t max_packet_bytes;
	uint32_t session_expiry_s; /* 5.0 */
	bool has_user_name, has_password;
	struct slice user_name, password;
	struct will will;
	/* More properties of CONNECT, encoded (property.h): User Property, Authentication Method.
	 * Not those that have a field above. */
	struct slice properties;
};

enum mqtt_state {
	MQTT_CLOSED,     /* no connection */
	MQTT_CONNECTING, /* CONNECT was put, no CONNACK yet */
	MQTT_OPEN,
	MQTT_ENDED, /* DISCONNECT was put or came, or the server broke the protocol: only `out` is
	               left to send */
};

/* A request that the server acknowledged. */
struct mqtt_answer {
	enum packet_type request; /* PACKET_PUBLISH, PACKET_SUBSCRIBE, PACKET_UNSUBSCRIBE */
	uint16_t packet_id;
	uint64_t cookie;      /* as given with the request */
	enum reason reason;   /* PUBLISH: of PUBACK, PUBREC or PUBCOMP; otherwise the largest */
	struct slice reasons; /* SUBSCRIBE, UNSUBSCRIBE (5.0): one for each filter */
	const struct properties *properties; /* the Reason String among them */
};

/* Whoever is called may publish, subscribe and so on, but not call mqtt_protocol_input, _close or
 * _fini. Everything is borrowed for the call. Each but on_message may be NULL. */
struct mqtt_events {
	/* `ack->reason` says whether the server accepted. */
	void (*on_connack)(void *arg, const struct connack *ack, const struct properties *p);
	/* True: acknowledge it now. False: mqtt_protocol_acknowledge follows later. (The same for
	 * QoS 0.) A duplicate of QoS 2 does not come here. */
	bool (*on_message)(void *arg, const struct publish *message);
	void (*on_answer)(void *arg, const struct mqtt_answer *answer);
	/* The server's DISCONNECT (5.0). */
	void (*on_disconnect)(void *arg, enum reason reason, const struct properties *p);
	/* The server's AUTH (5.0): mqtt_protocol_auth answers. */
	void (*on_auth)(void *arg, enum reason reason, const struct properties *p);
};

struct mqtt_in_flight; /* a request without its acknowledgement */

/* Zero it, or mqtt_protocol_init. Members are for reading. */
struct mqtt_protocol {
	const struct mqtt_options *options;
	const struct mqtt_events *events;
	void *arg;
	/* What is to be sent. Whoever sends it takes it off (buf_clear, buf_consume), and calls
	 * mqtt_protocol_sent. */
	struct buf out;
	/* The beginning of a packet. */
	struct buf in;
	size_t in_needed;
	/* In order of their packet identifiers: a ring. */
	struct mqtt_in_flight *ring;
	/* Encoded PUBLISH packets for the next connection, oldest first; those before stored_start
	 * are done. */
	struct buf stored;
	size_t stored_start;
	/* Identifiers of QoS 2 that came and were not released. */
	uint16_t *received;
	uint64_t sent_ms, heard_ms, ping_ms;
	uint32_t ring_size, ring_start, ring_count;
	uint32_t received_count, received_size;
	uint32_t publishing;             /* of the ring: QoS 1 and 2 PUBLISH */
	uint32_t server_packet_max;      /* what the server said with CONNACK, */
	uint16_t server_receive_maximum; /* or the standard's defaults */
	uint16_t server_alias_maximum;
	uint16_t keep_alive_s; /* in force */
	uint16_t next_id;
	enum mqtt_state state;
	uint8_t server_max_qos;
	bool server_retains, ping_waits, had_session;
};

void mqtt_protocol_init(struct mqtt_protocol *p, const struct mqtt_options *options,
                        const struct mqtt_events *events, void *arg);
void mqtt_protocol_fini(struct mqtt_protocol *p);

/* ---- a connection ---- */

/* There is a connection: put CONNECT. */
void mqtt_protocol_open(struct mqtt_protocol *p, struct slice client_id, uint64_t now_ms);
/* Bytes of the server, as they came. A fault: the server broke the protocol (`out` may have a
 * DISCONNECT that says so), or refused with CONNACK: send `out`, and close. */
struct fault mqtt_protocol_input(struct mqtt_protocol *p, struct slice bytes, uint64_t now_ms);
/* `out` was given to the connection, now. */
static inline void mqtt_protocol_sent(struct mqtt_protocol *p, uint64_t now_ms)
{
	p->sent_ms = now_ms;
}
/* When to call mqtt_protocol_tick at the latest; UINT64_MAX: never. May be later when it is called,
 * never earlier: a timer for it needs no changes while messages flow. */
uint64_t mqtt_protocol_due_ms(const struct mqtt_protocol *p);
/* Put a PINGREQ where it is time. A fault: the server is silent. */
struct fault mqtt_protocol_tick(struct mqtt_protocol *p, uint64_t now_ms);
/* Put DISCONNECT: nothing else follows on this connection. `reason`: 5.0; 0x04 lets the will
 * happen. */
void mqtt_protocol_disconnect(struct mqtt_protocol *p, enum reason reason);
/* The connection is gone. What is in flight waits for the next one, or is given up. */
void mqtt_protocol_close(struct mqtt_protocol *p);

/* ---- requests: while it is MQTT_OPEN ---- */

enum mqtt_result {
	MQTT_DONE,
	MQTT_NOT_OPEN,
	MQTT_WINDOW_FULL,   /* wait for an on_answer */
	MQTT_TOO_LARGE,     /* for the server's Maximum Packet Size, or for the standard */
	MQTT_QOS_TOO_HIGH,  /* for the server's Maximum QoS */
	MQTT_NO_RETAINING,  /* the server does not do it */
	MQTT_ALIAS_TOO_HIGH /* for the server's Topic Alias Maximum */
};

/* Put a PUBLISH: of `message` all but version, dup and packet_id, which are filled in. `forwarded`
 * is the block of properties that have no field (encode with property_put_*). `cookie` comes back
 * with on_answer (QoS 1 and 2). A message with an alias in place of its topic is QoS 0, or options
 * have no `resends`. */
enum mqtt_result mqtt_protocol_publish(struct mqtt_protocol *p, struct publish_out *message,
                                       uint64_t cookie);
/* Would a PUBLISH of QoS 1 or 2 find space in the window? */
bool mqtt_protocol_has_window(const struct mqtt_protocol *p);
/* `properties`: encoded; 5.0 only. Filters are valid (topic_filter_valid). */
enum mqtt_result mqtt_protocol_subscribe(struct mqtt_protocol *p,
                                         const struct subscribe_entry *entries, size_t count,
                                         struct slice properties, uint64_t cookie);
enum mqtt_result mqtt_protocol_unsubscribe(struct mqtt_protocol *p, const struct slice *filters,
                                           size_t count, struct slice properties, uint64_t cookie);
/* The acknowledgement of a message that on_message put off. */
void mqtt_protocol_acknowledge(struct mqtt_protocol *p, uint8_t qos, uint16_t packet_id,
                               enum reason reason);
void mqtt_protocol_auth(struct mqtt_protocol *p, enum reason reason, struct slice method,
                        struct slice data);

/* Requests without their acknowledgement. */
static inline size_t mqtt_protocol_in_flight(const struct mqtt_protocol *p)
{
	return p->ring_count;
}

#endif
