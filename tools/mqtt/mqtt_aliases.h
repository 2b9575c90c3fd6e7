/* The topic aliases that a server has set on a connection (5.0).  A topic that is set again takes
 * the place of the one before, so that per message nothing is allocated.  Thread: the caller's, one
 * at a time. */
#ifndef MQTT_MQTT_ALIASES_H
#define MQTT_MQTT_ALIASES_H

#include "proto/packet_publish.h"

/* Zero it. */
struct mqtt_aliases {
	struct buf *topics; /* of alias i at i - 1; empty: not set. NULL until the first is set. */
	uint16_t size;
};

/* Forget all, at the end of a connection. */
void mqtt_aliases_clear(struct mqtt_aliases *t);
/* Set the alias that the message brings with its topic, or put the topic in its place: borrowed
 * from `t` until the next call. `max`: what the client offered, the same for the whole connection.
 * A fault: REASON_TOPIC_ALIAS_INVALID (above max), REASON_PROTOCOL_ERROR (never set). */
struct fault mqtt_aliases_resolve(struct mqtt_aliases *t, struct publish *message, uint16_t max);

#endif
