/* Messages and their origins: one allocation each, the bytes after the struct, shared by an atomic
 * count.  Any thread. */
#include "tree/msg.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

/* Append a copy of `s` at *at and move *at behind it. */
static struct slice put_behind(uint8_t **at, struct slice s)
{
	struct slice copy = slice_of(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.data, s.len);
	*at += s.len;
	return copy;
}

/* What came before is visible to whoever frees. */
static bool was_last(_Atomic uint32_t *refs)
{
	uint32_t before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);

	REQUIRE(before > 0);
	return before == 1;
}

static void add_ref(_Atomic uint32_t *refs)
{
	uint32_t before = atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);

	REQUIRE(before > 0 && before < UINT32_MAX);
}

struct origin *origin_new(bool anonymous, uint64_t session_id, struct slice user_key,
                          struct slice user_name, struct slice client_id)
{
	struct origin *o = xalloc(sizeof(*o) + user_key.len + user_name.len + client_id.len);
	uint8_t *at = (uint8_t *)(o + 1);

	atomic_init(&o->refs, 1);
	o->anonymous = anonymous;
	o->session_id = session_id;
	o->user_key = put_behind(&at, user_key);
	o->user_name = put_behind(&at, user_name);
	o->client_id = put_behind(&at, client_id);
	return o;
}

struct origin *origin_ref(struct origin *o)
{
	add_ref(&o->refs);
	return o;
}

void origin_unref(struct origin **o)
{
	struct origin *gone = *o;

	*o = NULL;
	if (gone != NULL && was_last(&gone->refs))
		free(gone);
}

struct msg *msg_new(struct origin *origin, const struct msg_parts *parts)
{
	struct msg *m =
	    xalloc(sizeof(*m) + parts->topic.len + parts->forwarded.len + parts->payload.len);
	uint8_t *at = m->bytes;

	/* As in every packet of MQTT. */
	REQUIRE(parts->topic.len <= UINT16_MAX && parts->forwarded.len <= UINT32_MAX &&
	        parts->payload.len <= UINT32_MAX);
	atomic_init(&m->refs, 1);
	m->qos = parts->qos;
	m->retain = parts->retain;
	m->topic_len = (uint16_t)parts->topic.len;
	m->forwarded_len = (uint32_t)parts->forwarded.len;
	m->payload_len = (uint32_t)parts->payload.len;
	m->number = 0;
	m->expires_ms = parts->expires_ms;
	m->origin = origin == NULL ? NULL : origin_ref(origin);
	put_behind(&at, parts->topic);
	put_behind(&at, parts->forwarded);
	put_behind(&at, parts->payload);
	return m;
}

struct msg *msg_ref(struct msg *m)
{
	add_ref(&m->refs);
	return m;
}

void msg_unref(struct msg **m)
{
	struct msg *gone = *m;

	*m = NULL;
	if (gone == NULL || !was_last(&gone->refs))
		return;
	origin_unref(&gone->origin);
	free(gone);
}

uint32_t msg_expiry_left_s(const struct msg *m, uint64_t now_ms)
{
	uint64_t left_ms, left_s;

	REQUIRE(m->expires_ms != MSG_NEVER);
	left_ms = m->expires_ms > now_ms ? m->expires_ms - now_ms : 0;
	left_s = left_ms / 1000 + (left_ms % 1000 != 0);
	return left_s > UINT32_MAX ? UINT32_MAX : (uint32_t)left_s;
}

bool msg_is_of_broker(const struct msg *msg)
{
	return msg->origin->session_id == 0 &&
	       slice_starts_with(msg_topic(msg), SLICE(MSG_BROKER_TOPICS));
}
