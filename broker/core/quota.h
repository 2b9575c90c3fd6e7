/* Limits of what all clients share: retained messages, the memory of all messages, connections of
 * one address or user.  Refused is what is new; what is there stays.  Thread: the worker's own. */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct conf_listener;
struct conn;
struct worker;
struct session;
struct stream;
struct msg;
struct retain_change;

/* What a worker may still take without asking the others. */
struct quota_room {
	uint64_t limit; /* of which it is a part */
	uint64_t bytes;
};

/* May this be retained in the place of what the topic has? NULL: it may; else what it exceeds.
 * Under the topic's stripe. */
const char *quota_retained(struct worker *w, const struct retain_change *change,
                           const struct msg *msg);
/* May this many bytes more wait in memory? NULL: they may; else what they exceed. */
const char *quota_memory(struct worker *w, size_t bytes);
/* Count and tell a retained message that was refused: a line for several, not for each. */
void quota_tell_refused(const struct session *s, struct slice topic, const char *cause);

/* One more connection of this address: counted when true, given back with quota_address_give; else
 * it is told. Unix sockets are let through by the caller. */
bool quota_address_take(struct worker *w, struct stream *stream, const struct conf_listener *l);
void quota_address_give(struct worker *w, const struct stream *stream);
/* One more accepted client of c's user, with this client id; what it takes over does not count.
 * Given back with quota_user_give, which is fine for one that was not counted. */
bool quota_user_take(struct conn *c, struct slice client_id);
void quota_user_give(struct conn *c);

#endif
