/* A session's messages in memory: what waits, what is on the wire, packet identifiers.  Shared by
 * the files that send (outgoing.c), hear of it (outgoing_acks.c), and read from disk (backlog.c).
 * Thread: the session's home. */
#ifndef CORE_OUTGOING_H
#define CORE_OUTGOING_H

#include "core/deliver.h"

/* Takes its own reference of msg. */
struct outgoing *outgoing_new(struct msg *msg, const struct delivery *d, uint8_t qos);
void outgoing_free(struct outgoing *o);
/* What one takes of memory, the message included. */
size_t outgoing_cost(const struct msg *msg, const struct subids *ids);
void outgoing_append(struct session *s, struct outgoing_list *list, struct outgoing *o);
void outgoing_delete(struct session *s, struct outgoing_list *list, struct outgoing *o);
/* How it was to be delivered; borrows. */
struct delivery outgoing_delivery(const struct outgoing *o);

/* On the wire, by packet identifier; NULL: none. */
struct outgoing *sent_find(const struct session *s, uint16_t packet_id);
/* It is done: gone from memory and from the queue on disk. */
void sent_remove(struct session *s, struct outgoing *o);
/* One that was sent before the broker started: with the identifier it had. Takes over o. */
void sent_restore(struct session *s, struct outgoing *o, uint16_t packet_id);

/* Its connection ends, or the broker: what was sent is sent again with the identifier it had, after
 * a restart too. [MQTT-4.4.0-1] (Of QoS 2 that is on disk since before it was sent.) */
void outgoing_note_sent(struct session *s);

/* Slices of what a session has left to do: how many steps each took. */
size_t outgoing_send_slice(struct session *s);
size_t outgoing_note_slice(struct session *s);
size_t outgoing_give_slice(struct session *s);

/* PUBREC is here: the message itself is not needed any more. */
void outgoing_release(struct session *s, struct outgoing *o);
/* PUBREL, behind what it promises where that is kept. [MQTT5-3.6.2-2, -3] */
void send_release(struct session *s, uint16_t packet_id, enum reason reason, bool kept);

#endif
