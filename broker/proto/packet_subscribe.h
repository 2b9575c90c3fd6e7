/* SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10) both ways.  Pure; nothing is allocated: entries are walked.
 */
#ifndef PROTO_PACKET_SUBSCRIBE_H
#define PROTO_PACKET_SUBSCRIBE_H

#include "proto/mqtt_version.h"
#include "proto/property.h"

struct subscription_options {
	uint8_t qos; /* maximum QoS asked for */
	bool no_local;
	bool retain_as_published;
	uint8_t retain_handling; /* 0 send, 1 send if new, 2 do not send */
};

/* A SUBSCRIBE or UNSUBSCRIBE. */
struct subscribe {
	uint16_t packet_id;
	/* Entries, at least one. [MQTT3-3.8.3-3] [MQTT5-3.8.3-2] [MQTT-3.10.3-2] */
	size_t count;
	struct properties properties; /* the Subscription Identifier among them */
	struct slice entries;
};

/* Checks the whole packet: flags, identifier, UTF-8 of each filter, option bits, at least one
 * entry, every filter one. `$share/` is an ordinary level in 3.1.1: there the caller checks it
 * (0x80 in its place). No Local on a `$share` is REASON_PROTOCOL_ERROR. [MQTT5-3.8.3-4] Control
 * characters and noncharacters are left to the caller, who knows which filters the session has. */
struct fault packet_subscribe_decode(const struct frame *frame, enum mqtt_version version,
                                     struct subscribe *out);
/* The same in pieces: all but the entries, which out->entries are; then the entries of either
 * packet, off *entries, as far as *steps go: one for each, and one for each 64 bytes of it. */
struct fault packet_subscribe_decode_head(const struct frame *frame, enum mqtt_version version,
                                          struct subscribe *out);
struct fault packet_subscribe_check(struct slice *entries, enum mqtt_version version,
                                    size_t *steps);
struct fault packet_unsubscribe_check(struct slice *entries, enum mqtt_version version,
                                      size_t *steps);
/* Next entry off *entries; false at the end. */
bool packet_subscribe_next(struct slice *entries, struct slice *filter,
                           struct subscription_options *options);
bool packet_unsubscribe_next(struct slice *entries, struct slice *filter);

/* Of a client. At least one entry; `properties` is the block as it goes out (5.0), and of the
 * options 3.1.1 has the QoS only. [MQTT-3.10.3-2] */
struct subscribe_entry {
	struct slice filter;
	struct subscription_options options;
};
void packet_subscribe_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                             struct slice properties, const struct subscribe_entry *entries,
                             size_t count);
void packet_unsubscribe_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                               struct slice properties, const struct slice *filters, size_t count);

#endif
