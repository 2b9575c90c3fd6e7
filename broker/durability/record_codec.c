/* Encoding and decoding of what a session stores.  What can be read back is said once for each kind
 * of record (is_session, is_delivery, ...): encoding anything else aborts there, and not at the
 * next start. */
#include "durability/record_codec.h"

#include "base/require.h"
#include "worker/user_ids.h"

#define FORMAT 1

static struct reader begin_reading(struct slice bytes)
{
	struct reader r = reader_of(bytes);

	if (read_u8(&r) != FORMAT)
		r.bad = true;
	return r;
}

/* As it is written, and nothing else. */
static bool read_bool(struct reader *r)
{
	uint8_t value = read_u8(r);

	if (value > 1)
		r->bad = true;
	return value == 1;
}

static bool ended(const struct reader *r)
{
	return !r->bad && reader_left(r) == 0;
}

/* --- users --- */

static bool is_user(const struct user_record *k)
{
	switch (k->kind) {
	case IDENTITY_ANONYMOUS:
	case IDENTITY_PASSWORD:
	case IDENTITY_CERTIFICATE:
		return true;
	case IDENTITY_PEER:
	case IDENTITY_ASSUMED:
		break;
	}
	return false;
}

static void put_user(struct buf *out, const struct user_record *k)
{
	REQUIRE(is_user(k));
	buf_put_u8(out, (uint8_t)k->kind);
	buf_put_string(out, k->name);
	buf_put_u64(out, k->entry_id);
	buf_put_u64(out, k->credential);
}

static struct user_record read_user(struct reader *r)
{
	uint8_t kind = read_u8(r);
	struct user_record k = {.kind = (enum identity_kind)kind};

	k.name = read_string(r);
	k.entry_id = read_u64(r);
	k.credential = read_u64(r);
	if (!is_user(&k))
		r->bad = true;
	return k;
}

/* --- subscriptions --- */

static bool is_subscription(const struct subscription_record *k)
{
	return k->options.qos <= 2 && k->options.retain_handling <= 2;
}

void record_put_subscription(struct buf *out, const struct subscription_record *k)
{
	REQUIRE(is_subscription(k));
	buf_put_u8(out, FORMAT);
	buf_put_string(out, k->filter);
	buf_put_u8(out, k->options.qos);
	buf_put_u8(out, k->options.no_local);
	buf_put_u8(out, k->options.retain_as_published);
	buf_put_u8(out, k->options.retain_handling);
	buf_put_u32(out, k->id);
}

bool record_read_subscription(struct slice bytes, struct subscription_record *out)
{
	struct reader r = begin_reading(bytes);

	out->filter = read_string(&r);
	out->options.qos = read_u8(&r);
	out->options.no_local = read_bool(&r);
	out->options.retain_as_published = read_bool(&r);
	out->options.retain_handling = read_u8(&r);
	out->id = read_u32(&r);
	return ended(&r) && is_subscription(out);
}

/* --- messages on their way --- */

static bool is_delivery(const struct delivery_record *k)
{
	return k->qos <= 2 && k->tried_count <= RECORD_TRIED_MAX;
}

void record_put_delivery(struct buf *out, const struct delivery_record *k)
{
	size_t count = subscription_ids_count(&k->ids);

	REQUIRE(is_delivery(k));
	buf_put_u8(out, FORMAT);
	buf_put_u8(out, (uint8_t)(k->qos | (k->retain ? 4 : 0)));
	buf_put_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		buf_put_u32(out, subscription_ids_all(&k->ids)[i]);
	buf_put_u8(out, (uint8_t)k->tried_count);
	for (uint32_t i = 0; i < k->tried_count; i++)
		buf_put_u64(out, k->tried[i]);
}

bool record_read_delivery(struct slice bytes, struct delivery_record *out)
{
	struct reader r = begin_reading(bytes);
	uint8_t flags = read_u8(&r);
	uint32_t id_count = read_u32(&r);

	*out = (struct delivery_record){.qos = flags & 3, .retain = (flags & 4) != 0};
	for (uint32_t i = 0; i < id_count && !r.bad; i++) {
		uint32_t id = read_u32(&r);

		if (id == 0)
			r.bad = true;
		subscription_ids_add(&out->ids, id);
	}
	out->tried_count = read_u8(&r);
	if (out->tried_count > RECORD_TRIED_MAX)
		r.bad = true;
	for (uint32_t i = 0; i < out->tried_count && !r.bad; i++)
		out->tried[i] = read_u64(&r);
	if (ended(&r) && is_delivery(out) && flags <= 7)
		return true;
	subscription_ids_fini(&out->ids);
	return false;
}

/* --- retained values --- */

void record_put_retained(struct buf *out, const struct retained_record *k)
{
	buf_put_u8(out, FORMAT);
	buf_put_u64(out, k->owned_until_ms);
	buf_put_slice(out, k->owner);
}

bool record_read_retained(struct slice bytes, struct retained_record *out)
{
	struct reader r = begin_reading(bytes);

	out->owned_until_ms = read_u64(&r);
	out->owner = read_rest(&r);
	return ended(&r);
}

bool record_retained_is_over(struct slice bytes, uint64_t time_ms)
{
	struct retained_record k;

	return record_read_retained(bytes, &k) && k.owned_until_ms <= time_ms;
}

/* --- values whose members have fixed places --- */

static bool is_inflight(const struct inflight_record *k)
{
	return k->packet_id != 0;
}

static bool is_user_id(const struct user_id_record *k)
{
	return k->name.len > 0 && k->state < USER_ID_STATES;
}

#define ANYTHING(k) ((void)(k), true)

/* NOLINTBEGIN(bugprone-macro-parentheses): names of functions, and statements */
#define VALUE(name, holds, members)                                                                \
	void record_put_##name(struct buf *out, const struct name##_record *k)                     \
	{                                                                                          \
		REQUIRE(holds(k));                                                                 \
		buf_put_u8(out, FORMAT);                                                           \
		members                                                                            \
	}
#define USER(member)   put_user(out, &k->member);
#define STRING(member) buf_put_string(out, k->member);
#define U16(member)    buf_put_u16(out, k->member);
#define U32(member)    buf_put_u32(out, k->member);
#define U64(member)    buf_put_u64(out, k->member);
#define BOOL(member)   buf_put_u8(out, k->member);
#include "durability/record_values.def"

#define VALUE(name, holds, members)                                                                \
	bool record_read_##name(struct slice bytes, struct name##_record *out)                     \
	{                                                                                          \
		struct reader r = begin_reading(bytes);                                            \
                                                                                                   \
		members return ended(&r) && holds(out);                                            \
	}
#define USER(member)   out->member = read_user(&r);
#define STRING(member) out->member = read_string(&r);
#define U16(member)    out->member = read_u16(&r);
#define U32(member)    out->member = read_u32(&r);
#define U64(member)    out->member = read_u64(&r);
#define BOOL(member)   out->member = read_bool(&r);
#include "durability/record_values.def"
/* NOLINTEND(bugprone-macro-parentheses) */
