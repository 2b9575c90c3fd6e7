/* A message on its way: immutable, shared by reference between all threads.  The only copy of what
 * was published. */
#ifndef TREE_MSG_H
#define TREE_MSG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Who sent it: stored with wills, retained values and queues, checked by the rules of the moment.
 * Immutable, shared by reference. */
struct origin {
	_Atomic uint32_t refs;
	bool anonymous;
	uint64_t session_id;    /* for no-local; 0: the broker itself */
	struct slice user_key;  /* identity key: opaque, stable */
	struct slice user_name; /* empty for anonymous */
	struct slice client_id;
};

struct origin *origin_new(bool anonymous, uint64_t session_id, struct slice user_key,
                          struct slice user_name, struct slice client_id);
struct origin *origin_ref(struct origin *o);
void origin_unref(struct origin **o);

#define MSG_NEVER UINT64_MAX

/* Queues and the retained tree are full of them: lengths instead of slices. */
struct msg {
	_Atomic uint32_t refs;
	uint8_t qos; /* as published */
	bool retain; /* as published */
	uint16_t topic_len;
	uint32_t forwarded_len, payload_len;
	uint64_t number;     /* of a retained change, 0 for others; set once, before it is shared */
	uint64_t expires_ms; /* monotonic; MSG_NEVER */
	struct origin *origin;
	uint8_t bytes[]; /* topic, forwarded, payload */
};

static inline struct slice msg_topic(const struct msg *m)
{
	return slice_of(m->bytes, m->topic_len);
}

/* Properties for subscribers (properties_put_forwarded). */
static inline struct slice msg_forwarded(const struct msg *m)
{
	return slice_of(m->bytes + m->topic_len, m->forwarded_len);
}

static inline struct slice msg_payload(const struct msg *m)
{
	return slice_of(m->bytes + m->topic_len + m->forwarded_len, m->payload_len);
}

struct msg_parts {
	uint8_t qos;
	bool retain;
	uint64_t expires_ms;
	struct slice topic, forwarded, payload;
};

/* One allocation, one copy. Takes its own reference of origin (NULL: none). */
struct msg *msg_new(struct origin *origin, const struct msg_parts *parts);
struct msg *msg_ref(struct msg *m);
void msg_unref(struct msg **m); /* NULL is fine; *m becomes NULL */
/* What it costs in memory: for queue limits. */
static inline size_t msg_bytes(const struct msg *m)
{
	return sizeof(*m) + m->topic_len + m->forwarded_len + m->payload_len;
}

static inline bool msg_is_expired(const struct msg *m, uint64_t now_ms)
{
	return now_ms >= m->expires_ms;
}
/* Seconds left, rounded up; only where expires_ms is set. */
uint32_t msg_expiry_left_s(const struct msg *m, uint64_t now_ms);

/* The topics that the broker itself writes to. */
#define MSG_BROKER_TOPICS "$SYS/broker/"
/* Did it write this one? No rules apply to it. */
bool msg_is_of_broker(const struct msg *msg);

#endif
