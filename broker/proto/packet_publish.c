/* PUBLISH both ways.  Pure; the hottest codec: encoding knows its sizes before it writes. */
#include "proto/packet_publish.h"

#include "proto/topic.h"
#include "proto/wire.h"

enum publish_flag {
	FLAG_RETAIN = 0x01,
	FLAG_QOS = 0x06,
	FLAG_DUP = 0x08,
};

/* Not UTF-8 [MQTT-3.3.2-1], or with a wildcard [MQTT-3.3.2-2]: both do not conform. 0x90 is for
 * names that do and are not accepted. The empty name is judged where the alias is known. */
static enum reason check_topic(struct slice topic)
{
	if (topic_is_plain(topic))
		return REASON_OK;
	return utf8_valid(topic) && !topic_has_wildcard(topic) ? REASON_OK : REASON_MALFORMED;
}

static enum reason check_properties(const struct properties *p)
{
	if (properties_have(p, PROPERTY_SUBSCRIPTION_ID)) /* [MQTT5-3.3.4-6] */
		return REASON_PROTOCOL_ERROR;
	if (properties_have(p, PROPERTY_TOPIC_ALIAS) && p->topic_alias == 0) /* [MQTT5-3.3.2-8] */
		return REASON_TOPIC_ALIAS_INVALID;
	return REASON_OK;
}

static enum reason read_publish_properties(struct reader *r, struct properties *out)
{
	enum reason why = properties_read(r, PACKET_PUBLISH, out);

	return why != REASON_OK || out->present == 0 ? why : check_properties(out);
}

/* 3.1.1 forbids an empty name; 5.0 wants an alias in its place. [MQTT-4.7.3-1] */
static enum reason check_empty_topic(const struct publish *p, enum mqtt_version version)
{
	if (version == MQTT_3_1_1)
		return REASON_MALFORMED;
	return p->properties.topic_alias == 0 ? REASON_PROTOCOL_ERROR : REASON_OK;
}

enum reason publish_decode(const struct frame *frame, enum mqtt_version version,
                           struct publish *out)
{
	struct reader r = reader_of(frame->body);
	enum reason why;

	out->dup = (frame->flags & FLAG_DUP) != 0;
	out->retain = (frame->flags & FLAG_RETAIN) != 0;
	out->qos = (uint8_t)((frame->flags & FLAG_QOS) >> 1);
	if (out->qos == 3 || (out->qos == 0 && out->dup)) /* [MQTT-3.3.1-4] [MQTT-3.3.1-2] */
		return REASON_MALFORMED;
	out->topic = read_string(&r);
	out->packet_id =
	    out->qos == 0 ? 0 : read_packet_id(&r); /* [MQTT3-2.3.1-5] [MQTT5-2.2.1-2] */
	if (r.bad)
		return REASON_MALFORMED;
	if ((why = check_topic(out->topic)) != REASON_OK)
		return why;
	if (version == MQTT_3_1_1)
		out->properties = (struct properties){0};
	else if ((why = read_publish_properties(&r, &out->properties)) != REASON_OK)
		return why;
	out->payload = read_rest(&r);
	return out->topic.len > 0 ? REASON_OK : check_empty_topic(out, version);
}

static size_t subscription_ids_size(const struct publish_out *p)
{
	size_t size = 0;

	for (size_t i = 0; i < p->subscription_id_count; i++)
		size += 1 + varint_size(p->subscription_ids[i]);
	return size;
}

/* The properties without their length. */
static size_t properties_size(const struct publish_out *p)
{
	return (p->has_expiry ? 5u : 0u) + (p->topic_alias != 0 ? 3u : 0u) +
	       subscription_ids_size(p) + p->forwarded.len;
}

static size_t body_size(const struct publish_out *p, size_t properties_bytes)
{
	size_t size = 2 + p->topic.len + (p->qos > 0 ? 2u : 0u) + p->payload.len;

	if (p->version == MQTT_5_0)
		size += varint_size((uint32_t)properties_bytes) + properties_bytes;
	return size;
}

size_t publish_size(const struct publish_out *p)
{
	size_t body = body_size(p, p->version == MQTT_5_0 ? properties_size(p) : 0);

	return 1 + varint_size((uint32_t)body) + body;
}

static void put_properties(struct buf *out, const struct publish_out *p, size_t size)
{
	buf_put_varint(out, (uint32_t)size);
	if (size == 0)
		return;
	if (p->has_expiry) /* [MQTT5-3.3.2-6] */
		property_put_u32(out, PROPERTY_MESSAGE_EXPIRY, p->expiry_s);
	if (p->topic_alias != 0)
		property_put_u16(out, PROPERTY_TOPIC_ALIAS, p->topic_alias);
	for (size_t i = 0; i < p->subscription_id_count; i++) /* [MQTT5-3.3.4-3, -4] */
		property_put_varint(out, PROPERTY_SUBSCRIPTION_ID, p->subscription_ids[i]);
	buf_put_slice(out, p->forwarded);
}

static uint8_t flags_of(const struct publish_out *p)
{
	return (uint8_t)((p->dup ? FLAG_DUP : 0) | p->qos << 1 | (p->retain ? FLAG_RETAIN : 0));
}

size_t publish_encode(struct buf *out, const struct publish_out *p)
{
	size_t properties = p->version == MQTT_5_0 ? properties_size(p) : 0;
	size_t body = body_size(p, properties);
	size_t start = out->len;
	size_t id_at = 0;

	buf_reserve(out, body + 5);
	frame_put_header(out, PACKET_PUBLISH, flags_of(p), body);
	buf_put_string(out, p->topic);
	if (p->qos > 0) {
		id_at = out->len - start;
		buf_put_u16(out, p->packet_id);
	}
	if (p->version == MQTT_5_0)
		put_properties(out, p, properties);
	buf_put_slice(out, p->payload);
	return id_at;
}
