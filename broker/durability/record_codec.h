/* What the journal keeps of sessions, as bytes: opaque to the store, stable over restarts and
 * versions (each begins with its format).  Pure: bytes in, struct out, slices borrow.  Times are
 * store times, ms since 1970 (journal.h).  Thread: any. */
#ifndef DURABILITY_RECORD_CODEC_H
#define DURABILITY_RECORD_CODEC_H

#include "auth/identity.h"
#include "base/bytes.h"
#include "proto/packet_subscribe.h"
#include "tree/subscription_ids.h"

/* Who: enough to make the identity again. */
struct user_record {
	enum identity_kind kind;
	struct slice name;
	uint64_t entry_id, credential;
};

struct session_record {
	struct user_record user;
	struct slice client_id;
	uint32_t expiry_s;
	uint64_t away_since_ms;    /* 0: connected when this was written */
	uint64_t removed_since_ms; /* 0: its user is in the password file */
};

struct subscription_record {
	struct slice filter; /* as the client wrote it */
	struct subscription_options options;
	uint32_t id; /* Subscription Identifier, 0: none */
};

#define RECORD_TRIED_MAX 16

/* How a queued message goes out. */
struct delivery_record {
	uint8_t qos; /* the subscription's maximum */
	bool retain; /* the flag as it is to be sent */
	struct subscription_ids ids;
	uint32_t tried_count; /* members of its $share group that did not take it */
	uint64_t tried[RECORD_TRIED_MAX];
};

/* A QoS 2 message sent. */
struct inflight_record {
	uint16_t packet_id;
	bool released; /* PUBREC is here: PUBREL is owed */
};

struct retained_record {
	struct slice owner;      /* identity key; empty: nobody */
	uint64_t owned_until_ms; /* of a deleted value; 0: there is a value */
};

struct will_record {
	struct user_record user;
	struct slice client_id;
	uint32_t delay_s;
	uint64_t due_ms; /* 0: its client is connected */
};

struct replay_record {
	uint64_t until; /* clock of the retained values */
};

/* Append the bytes. */
void record_put_session(struct buf *out, const struct session_record *k);
void record_put_subscription(struct buf *out, const struct subscription_record *k);
void record_put_delivery(struct buf *out, const struct delivery_record *k);
void record_put_inflight(struct buf *out, const struct inflight_record *k);
void record_put_retained(struct buf *out, const struct retained_record *k);
void record_put_will(struct buf *out, const struct will_record *k);
void record_put_replay(struct buf *out, const struct replay_record *k);

/* False: these bytes are none of ours. On true of record_read_delivery the caller owns ids. */
bool record_read_session(struct slice bytes, struct session_record *out);
bool record_read_subscription(struct slice bytes, struct subscription_record *out);
bool record_read_delivery(struct slice bytes, struct delivery_record *out);
bool record_read_inflight(struct slice bytes, struct inflight_record *out);
/* Is what was known of a deleted value of no use any more? (journal_over_fn) */
bool record_retained_is_over(struct slice bytes, uint64_t time_ms);
bool record_read_retained(struct slice bytes, struct retained_record *out);
bool record_read_will(struct slice bytes, struct will_record *out);
bool record_read_replay(struct slice bytes, struct replay_record *out);

#endif
