/* Encoding and decoding of rows.  A decoder accepts only what its encoder writes. */
#include "store/row.h"

#include "base/crypto.h"
#include "base/require.h"

/* --- keys --- */

static void put_number(uint8_t *at, uint64_t n)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(n >> (56 - 8 * i));
}

struct slice row_key_id(struct row_key *k, uint64_t id)
{
	put_number(k->bytes, id);
	return slice_of(k->bytes, 8);
}

struct slice row_key_pair(struct row_key *k, uint64_t id, uint64_t number)
{
	put_number(k->bytes, id);
	put_number(k->bytes + 8, number);
	return slice_of(k->bytes, 16);
}

struct slice row_key_topic(struct row_key *k, struct slice topic)
{
	uint8_t digest[32];

	crypto_sha256(topic, digest);
	memcpy(k->bytes, digest, sizeof(k->bytes));
	return slice_of(k->bytes, sizeof(k->bytes));
}

bool row_key_read_id(struct slice key, uint64_t *id)
{
	struct reader r = reader_of(key);

	*id = read_u64(&r);
	return !r.bad && reader_left(&r) == 0;
}

bool row_key_read_pair(struct slice key, uint64_t *id, uint64_t *number)
{
	struct reader r = reader_of(key);

	*id = read_u64(&r);
	*number = read_u64(&r);
	return !r.bad && reader_left(&r) == 0;
}

/* --- slices --- */

static void put_sized(struct buf *out, struct slice s)
{
	REQUIRE(s.len <= 268435455);
	buf_put_varint(out, (uint32_t)s.len);
	buf_put_slice(out, s);
}

static struct slice read_sized(struct reader *r)
{
	uint32_t len = read_varint(r);

	return read_bytes(r, len);
}

/* --- messages --- */

#define MSG_QOS       0x03u
#define MSG_RETAIN    0x04u
#define MSG_NUMBER    0x08u
#define MSG_EXPIRES   0x10u
#define MSG_ORIGIN    0x20u
#define MSG_ANONYMOUS 0x40u
#define MSG_UNKNOWN   0x80u

struct row_msg row_msg_of(const struct msg *m, uint64_t expires_ms)
{
	struct row_msg out = {
	    .qos = m->qos,
	    .retain = m->retain,
	    .number = m->number,
	    .expires_ms = expires_ms,
	    .topic = msg_topic(m),
	    .forwarded = msg_forwarded(m),
	    .payload = msg_payload(m),
	};
	const struct origin *o = m->origin;

	if (o == NULL)
		return out;
	out.has_origin = true;
	out.anonymous = o->anonymous;
	out.origin_session = o->session_id;
	out.user_key = o->user_key;
	out.user_name = o->user_name;
	out.client_id = o->client_id;
	return out;
}

static uint8_t flags_of(const struct row_msg *m)
{
	return (uint8_t)(m->qos | (m->retain ? MSG_RETAIN : 0) | (m->number != 0 ? MSG_NUMBER : 0) |
	                 (m->expires_ms != MSG_NEVER ? MSG_EXPIRES : 0) |
	                 (m->has_origin ? MSG_ORIGIN : 0) | (m->anonymous ? MSG_ANONYMOUS : 0));
}

void row_put_msg(struct buf *out, const struct row_msg *m)
{
	REQUIRE(m->qos <= 2 && (m->has_origin || !m->anonymous));
	buf_put_u8(out, flags_of(m));
	if (m->number != 0)
		buf_put_u64(out, m->number);
	if (m->expires_ms != MSG_NEVER)
		buf_put_u64(out, m->expires_ms);
	if (m->has_origin) {
		buf_put_u64(out, m->origin_session);
		put_sized(out, m->user_key);
		put_sized(out, m->user_name);
		put_sized(out, m->client_id);
	}
	buf_put_string(out, m->topic);
	put_sized(out, m->forwarded);
	buf_put_slice(out, m->payload);
}

bool row_read_msg(struct slice message, struct row_msg *out)
{
	struct reader r = reader_of(message);
	uint8_t flags = read_u8(&r);

	*out = (struct row_msg){
	    .qos = flags & MSG_QOS,
	    .retain = (flags & MSG_RETAIN) != 0,
	    .has_origin = (flags & MSG_ORIGIN) != 0,
	    .anonymous = (flags & MSG_ANONYMOUS) != 0,
	};
	out->number = (flags & MSG_NUMBER) != 0 ? read_u64(&r) : 0;
	out->expires_ms = (flags & MSG_EXPIRES) != 0 ? read_u64(&r) : MSG_NEVER;
	if (out->has_origin) {
		out->origin_session = read_u64(&r);
		out->user_key = read_sized(&r);
		out->user_name = read_sized(&r);
		out->client_id = read_sized(&r);
	}
	out->topic = read_string(&r);
	out->forwarded = read_sized(&r);
	out->payload = read_rest(&r);
	return !r.bad && out->qos <= 2 && (flags & MSG_UNKNOWN) == 0 && flags_of(out) == flags &&
	       (out->has_origin || !out->anonymous) && out->payload.len <= UINT32_MAX;
}

static bool is_origin(const struct origin *o, const struct row_msg *m)
{
	return o != NULL && o->anonymous == m->anonymous && o->session_id == m->origin_session &&
	       slice_equal(o->client_id, m->client_id) && slice_equal(o->user_key, m->user_key) &&
	       slice_equal(o->user_name, m->user_name);
}

struct msg *row_msg_new(const struct row_msg *m, uint64_t expires_ms, struct origin **origin)
{
	struct msg_parts parts = {
	    .qos = m->qos,
	    .retain = m->retain,
	    .expires_ms = expires_ms,
	    .topic = m->topic,
	    .forwarded = m->forwarded,
	    .payload = m->payload,
	};
	struct msg *msg;

	if (m->has_origin && !is_origin(*origin, m)) {
		origin_unref(origin);
		*origin = origin_new(m->anonymous, m->origin_session, m->user_key, m->user_name,
		                     m->client_id);
	}
	msg = msg_new(m->has_origin ? *origin : NULL, &parts);
	msg->number = m->number;
	return msg;
}

/* --- queue --- */

#define QUEUE_INLINE 0
#define QUEUE_BODY   1

void row_put_queue(struct buf *out, const struct row_queue *q)
{
	buf_put_u8(out, q->has_body ? QUEUE_BODY : QUEUE_INLINE);
	buf_put_u32(out, q->bytes);
	if (q->has_body)
		buf_put_u64(out, q->body_id);
	put_sized(out, q->value);
	buf_put_slice(out, q->message);
}

bool row_read_queue(struct slice row, struct row_queue *out)
{
	struct reader r = reader_of(row);
	uint8_t where = read_u8(&r);

	*out = (struct row_queue){.has_body = where == QUEUE_BODY};
	out->bytes = read_u32(&r);
	out->body_id = out->has_body ? read_u64(&r) : 0;
	out->value = read_sized(&r);
	out->message = read_rest(&r);
	return !r.bad && where <= QUEUE_BODY && out->has_body == (out->message.len == 0);
}

/* --- retained --- */

void row_put_retained(struct buf *out, const struct row_retained *r)
{
	buf_put_u64(out, r->number);
	buf_put_u8(out, r->has_msg);
	put_sized(out, r->value);
	if (r->has_msg)
		row_put_msg(out, &r->msg);
	else
		buf_put_slice(out, r->topic);
}

bool row_read_retained(struct slice row, struct row_retained *out)
{
	struct reader r = reader_of(row);
	uint8_t has_msg;
	struct slice rest;

	*out = (struct row_retained){.number = read_u64(&r)};
	has_msg = read_u8(&r);
	out->has_msg = has_msg == 1;
	out->value = read_sized(&r);
	rest = read_rest(&r);
	if (r.bad || has_msg > 1)
		return false;
	if (!out->has_msg) {
		out->topic = rest;
		return rest.len <= UINT16_MAX;
	}
	if (!row_read_msg(rest, &out->msg))
		return false;
	out->topic = out->msg.topic;
	return true;
}

/* --- the others --- */

void row_put_will(struct buf *out, const struct row_will *w)
{
	put_sized(out, w->value);
	row_put_msg(out, &w->msg);
}

bool row_read_will(struct slice row, struct row_will *out)
{
	struct reader r = reader_of(row);
	struct slice rest;

	*out = (struct row_will){.value = read_sized(&r)};
	rest = read_rest(&r);
	return !r.bad && row_read_msg(rest, &out->msg);
}

void row_put_refs(struct buf *out, uint32_t refs)
{
	buf_put_u32(out, refs);
}

bool row_read_refs(struct slice row, uint32_t *refs)
{
	struct reader r = reader_of(row);

	*refs = read_u32(&r);
	return !r.bad && reader_left(&r) == 0 && *refs > 0;
}
