/* What the journal keeps of sessions, as bytes: opaque to the store, stable over restarts and
 * versions (each begins with its format).  Pure: bytes in, struct out, slices borrow.  Times are
 * store times, ms since 1970 (journal.h).  Thread: any. */
#ifndef CORE_KEPT_H
#define CORE_KEPT_H

#include "auth/identity.h"
#include "base/bytes.h"
#include "core/subids.h"
#include "proto/subscribe.h"

/* Who: enough to make the identity again. */
struct kept_user {
	enum identity_kind kind;
	struct slice name;
	uint64_t entry_id, credential;
};

struct kept_session {
	struct kept_user user;
	struct slice client_id;
	uint32_t expiry_s;
	uint64_t away_since_ms;    /* 0: connected when this was written */
	uint64_t removed_since_ms; /* 0: its user is in the password file */
};

struct kept_subscription {
	struct slice filter; /* as the client wrote it */
	struct subscription_options options;
	uint32_t id; /* Subscription Identifier, 0: none */
};

#define KEPT_TRIED_MAX 16

/* How a queued message goes out. */
struct kept_way {
	uint8_t qos; /* the subscription's maximum */
	bool retain; /* the flag as it is to be sent */
	struct subids ids;
	uint32_t tried_count; /* members of its $share group that did not take it */
	uint64_t tried[KEPT_TRIED_MAX];
};

/* A QoS 2 message sent. */
struct kept_sent {
	uint16_t packet_id;
	bool released; /* PUBREC is here: PUBREL is owed */
};

struct kept_retained {
	struct slice owner;      /* identity key; empty: nobody */
	uint64_t owned_until_ms; /* of a deleted value; 0: there is a value */
};

struct kept_will {
	struct kept_user user;
	struct slice client_id;
	uint32_t delay_s;
	uint64_t due_ms; /* 0: its client is connected */
};

struct kept_replay {
	uint64_t until; /* clock of the retained values */
};

/* Append the bytes. */
void kept_session_put(struct buf *out, const struct kept_session *k);
void kept_subscription_put(struct buf *out, const struct kept_subscription *k);
void kept_way_put(struct buf *out, const struct kept_way *k);
void kept_sent_put(struct buf *out, const struct kept_sent *k);
void kept_retained_put(struct buf *out, const struct kept_retained *k);
void kept_will_put(struct buf *out, const struct kept_will *k);
void kept_replay_put(struct buf *out, const struct kept_replay *k);

/* False: these bytes are none of ours. On true of kept_way_read the caller owns ids. */
bool kept_session_read(struct slice bytes, struct kept_session *out);
bool kept_subscription_read(struct slice bytes, struct kept_subscription *out);
bool kept_way_read(struct slice bytes, struct kept_way *out);
bool kept_sent_read(struct slice bytes, struct kept_sent *out);
/* Is what was known of a deleted value of no use any more? (journal_over_fn) */
bool kept_retained_is_over(struct slice bytes, uint64_t time_ms);
bool kept_retained_read(struct slice bytes, struct kept_retained *out);
bool kept_will_read(struct slice bytes, struct kept_will *out);
bool kept_replay_read(struct slice bytes, struct kept_replay *out);

#endif
