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

#include "mqtt/mqtt_types.h"
#include "proto/packet_subscribe.h"

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
	if (p->in_flight.untimed > 0)
		mqtt_in_flight_note_sent(&p->in_flight, now_ms);
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
	return p->in_flight.count;
}

#endif
