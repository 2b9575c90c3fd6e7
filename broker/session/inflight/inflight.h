/* A session's messages in memory: what waits, what is on the wire, packet identifiers.  Thread: the
 * session's worker. */
#ifndef SESSION_INFLIGHT_H
#define SESSION_INFLIGHT_H

#include "proto/reason.h"
#include "session/session.h"

/* How one message goes to one session: its subscriptions' options, merged. */
struct delivery {
	uint8_t qos; /* maximum the subscription takes */
	bool retain; /* the flag as it is to be sent */
	bool paced;  /* of a replay, which waits for space itself: the queue's limits are for others
	              */
	uint64_t group_id;
	uint64_t position;           /* in the session's queue on disk, 0: it is not there */
	bool stored;                 /* there already: the store has admitted it */
	struct subscription_ids ids; /* borrowed */
};

/* Takes its own reference of msg. */
struct inflight *inflight_new(struct msg *msg, const struct delivery *d, uint8_t qos);
void inflight_free(struct inflight *o);
/* What one takes of memory, the message included. */
size_t inflight_cost(const struct msg *msg, const struct subscription_ids *ids);
void inflight_append(struct session *s, struct inflight_list *list, struct inflight *o);
void inflight_delete(struct session *s, struct inflight_list *list, struct inflight *o);
/* How it was to be delivered; borrows. */
struct delivery inflight_delivery(const struct inflight *o);

/* A packet identifier that is not in use; from now on it means this message. */
uint16_t inflight_take_packet_id(struct session *s, struct inflight *o);
/* On the wire, by packet identifier; NULL: none. */
struct inflight *inflight_find(const struct session *s, uint16_t packet_id);
/* It is done: gone from memory and from the queue on disk. */
void inflight_remove(struct session *s, struct inflight *o);
/* One that was sent before the broker started: with the identifier it had. Takes over o. */
void inflight_restore(struct session *s, struct inflight *o, uint16_t packet_id);

/* PUBREC is here: the message itself is not needed any more. */
void inflight_release(struct session *s, struct inflight *o);
/* PUBREL, after what it promises where that is stored. [MQTT5-3.6.2-2, -3] */
void inflight_send_pubrel(struct session *s, uint16_t packet_id, enum reason reason, bool stored);

#endif
