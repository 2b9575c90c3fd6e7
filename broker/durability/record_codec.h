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

/* Most of them are rows of record_values.def. */
#define VALUE(name, holds, members)                                                                \
	struct name##_record {                                                                     \
		members                                                                            \
	};
#define USER(member)   struct user_record member;
#define STRING(member) struct slice member;
#define U16(member)    uint16_t member;
#define U32(member)    uint32_t member;
#define U64(member)    uint64_t member;
#define BOOL(member)   bool member;
#include "durability/record_values.def"

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

struct retained_record {
	struct slice owner;      /* identity key; empty: nobody */
	uint64_t owned_until_ms; /* of a deleted value; 0: there is a value */
};

/* Append the bytes. */
void record_put_subscription(struct buf *out, const struct subscription_record *k);
void record_put_delivery(struct buf *out, const struct delivery_record *k);
void record_put_retained(struct buf *out, const struct retained_record *k);

/* False: these bytes are none of ours. On true of record_read_delivery the caller owns ids. */
bool record_read_subscription(struct slice bytes, struct subscription_record *out);
bool record_read_delivery(struct slice bytes, struct delivery_record *out);
/* Is what was known of a deleted value of no use any more? (journal_over_fn) */
bool record_retained_is_over(struct slice bytes, uint64_t time_ms);
bool record_read_retained(struct slice bytes, struct retained_record *out);

/* Both, for each row of record_values.def. */
#define VALUE(name, holds, members)                                                                \
	void record_put_##name(struct buf *out, const struct name##_record *k);                    \
	bool record_read_##name(struct slice bytes, struct name##_record *out);
#include "durability/record_values.def"

#endif
