/* A session's messages in memory: what waits, what is on the wire, packet identifiers.  Shared by
 * the files that send (outgoing.c), hear of it (inflight_acks.c), and read from disk (backlog.c).
 * Thread: the session's home. */
#ifndef SESSION_SESSION_DELIVER_H
#define SESSION_SESSION_DELIVER_H

#include "routing/local_delivery.h"
#include "session/session.h"

/* Takes its own reference of msg. */
struct inflight *inflight_new(struct msg *msg, const struct delivery *d, uint8_t qos);
void inflight_free(struct inflight *o);
/* What one takes of memory, the message included. */
size_t inflight_cost(const struct msg *msg, const struct subscription_ids *ids);
void inflight_append(struct session *s, struct inflight_list *list, struct inflight *o);
void inflight_delete(struct session *s, struct inflight_list *list, struct inflight *o);
/* How it was to be delivered; borrows. */
struct delivery inflight_delivery(const struct inflight *o);

/* On the wire, by packet identifier; NULL: none. */
struct inflight *sent_find(const struct session *s, uint16_t packet_id);
/* It is done: gone from memory and from the queue on disk. */
void sent_remove(struct session *s, struct inflight *o);
/* One that was sent before the broker started: with the identifier it had. Takes over o. */
void sent_restore(struct session *s, struct inflight *o, uint16_t packet_id);

/* Its connection ends, or the broker: what was sent is sent again with the identifier it had, after
 * a restart too. [MQTT-4.4.0-1] (Of QoS 2 that is on disk since before it was sent.) */
void inflight_note_sent(struct session *s);

/* Slices of what a session has left to do: how many steps each took. */
size_t inflight_send_slice(struct session *s);
size_t inflight_note_slice(struct session *s);
size_t inflight_give_slice(struct session *s);

/* PUBREC is here: the message itself is not needed any more. */
void inflight_release(struct session *s, struct inflight *o);
/* PUBREL, behind what it promises where that is kept. [MQTT5-3.6.2-2, -3] */
void send_release(struct session *s, uint16_t packet_id, enum reason reason, bool kept);

#endif
