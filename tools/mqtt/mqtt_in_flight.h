/* Requests of a client that the server has not acknowledged: PUBLISH of QoS 1 and 2, SUBSCRIBE and
 * UNSUBSCRIBE, in the order of their packet identifiers, which it gives out; and the packets of
 * those that have to be sent again on the next connection.
 *
 * An acknowledgement finds its request by subtraction. Per request nothing is allocated: the ring
 * and the bytes grow to what is needed and stay.  Thread: the caller's, one at a time. */
#ifndef MQTT_MQTT_IN_FLIGHT_H
#define MQTT_MQTT_IN_FLIGHT_H

#include "base/bytes.h"
#include "proto/mqtt_version.h"

/* What the server owes. */
enum mqtt_step {
	MQTT_STEP_DONE,    /* nothing: it waits until those before it are done */
	MQTT_STEP_PUBACK,  /* QoS 1: not acknowledged */
	MQTT_STEP_PUBREC,  /* QoS 2: not received */
	MQTT_STEP_PUBCOMP, /* QoS 2: received, not released */
	MQTT_STEP_SUBACK,
	MQTT_STEP_UNSUBACK,
};

struct mqtt_request {
	uint64_t cookie;
	uint64_t sent_ms; /* for the first time; 0: not yet */
	size_t size;      /* of its packet in `stored` */
	uint16_t packet_id;
	uint8_t step;
	bool held; /* of a connection that is gone, and not sent again yet: mqtt_resend.h */
};

/* Members are for reading. */
struct mqtt_in_flight {
	struct mqtt_request *ring;
	/* Encoded PUBLISH packets for the next connection, oldest first; those before stored_start
	 * are done. */
	struct buf stored;
	size_t stored_start;
	uint32_t size, start, count; /* of the ring */
	uint32_t publishing;         /* QoS 1 and 2 PUBLISH among them */
	uint32_t held;               /* of these */
	uint32_t untimed;            /* the last ones, whose sent_ms is not known yet */
	uint16_t next_id;
};

void mqtt_in_flight_init(struct mqtt_in_flight *t);
void mqtt_in_flight_fini(struct mqtt_in_flight *t);
/* The packet identifier of the next request; 0: all are taken. */
uint16_t mqtt_in_flight_next_id(const struct mqtt_in_flight *t);
/* A request with that identifier, which is not 0. The pointer is good until the next one. */
struct mqtt_request *mqtt_in_flight_add(struct mqtt_in_flight *t, enum mqtt_step step,
                                        uint64_t cookie);
/* Keep a copy of the PUBLISH packet of the request that was added last. */
void mqtt_in_flight_store(struct mqtt_in_flight *t, struct slice packet);
/* NULL: there is none, or it is done. */
struct mqtt_request *mqtt_in_flight_find(const struct mqtt_in_flight *t, uint16_t packet_id);
/* The one at place i < count, done ones among them. */
struct mqtt_request *mqtt_in_flight_at(const struct mqtt_in_flight *t, uint32_t i);
/* It is done; its identifier is free when all before it are done. */
void mqtt_in_flight_end(struct mqtt_in_flight *t, struct mqtt_request *r);
/* The same for several: mark them (places stay what they are), and trim then. */
void mqtt_in_flight_mark_done(struct mqtt_in_flight *t, struct mqtt_request *r);
void mqtt_in_flight_trim(struct mqtt_in_flight *t);
/* What was put is sent, now. */
void mqtt_in_flight_note_sent(struct mqtt_in_flight *t, uint64_t now_ms);
/* The connection is gone: forget requests; those of PUBLISH are held if `keeps_publishes`. */
void mqtt_in_flight_close(struct mqtt_in_flight *t, bool keeps_publishes);
/* It is sent again, or need not be. */
void mqtt_in_flight_release(struct mqtt_in_flight *t, struct mqtt_request *r);

#endif
