/* PUBLISH both ways.  Pure; the hottest codec: encoding knows its sizes before it writes. */
#include "proto/packet_publish.h"

#include "base/require.h"
#include "proto/topic.h"
#include "proto/wire.h"

enum publish_flag {
	FLAG_RETAIN = 0x01,
	FLAG_QOS = 0x06,
	FLAG_DUP = 0x08,
};

/* Not UTF-8 [MQTT-3.3.2-1], or with a wildcard [MQTT-3.3.2-2]: both do not conform. 0x90 is for
 * names that do and are not accepted. Control characters and noncharacters are Malformed where the
 * receiver says so (section 1.5.4). The empty name is checked where the alias is known. */
static struct fault check_topic(struct slice topic, bool takes_control)
{
	if (topic_is_plain(topic))
		return FAULT_NONE;
	if (!utf8_valid(topic))
		return fault_of(REASON_MALFORMED, "the topic name is not UTF-8");
	if (topic_has_wildcard(topic))
		return fault_of(REASON_MALFORMED, "the topic name contains a wildcard");
	/* mutant: control_characters_in_topics */
	return takes_control || utf8_is_name(topic)
	           ? FAULT_NONE
	           : fault_of(REASON_MALFORMED, PACKET_PUBLISH_CONTROL);
}

enum sender {
	OF_CLIENT,
	OF_SERVER,
};

static struct fault read_publish_properties(struct reader *r, struct properties *p,
                                            enum sender sender)
{
	struct fault fault = properties_read(r, PACKET_PUBLISH, p);

	if (!fault_is_none(fault) || p->present == 0)
		return fault;
	if (sender == OF_CLIENT &&
	    properties_have(p, PROPERTY_SUBSCRIPTION_ID)) /* [MQTT5-3.3.4-6] */
		return fault_of(REASON_PROTOCOL_ERROR,
		                "a client must not send a Subscription Identifier in PUBLISH");
	if (properties_have(p, PROPERTY_TOPIC_ALIAS) && p->topic_alias == 0) /* [MQTT5-3.3.2-8] */
		return fault_of(REASON_TOPIC_ALIAS_INVALID, "the Topic Alias is 0");
	return FAULT_NONE;
}

/* 3.1.1 forbids an empty name; 5.0 needs an alias in its place. [MQTT-4.7.3-1] */
static struct fault check_empty_topic(const struct publish *p, enum mqtt_version version)
{
	if (version == MQTT_3_1_1)
		return fault_of(REASON_MALFORMED, "the topic name is empty");
	return p->properties.topic_alias == 0
	           ? fault_of(REASON_PROTOCOL_ERROR,
	                      "the topic name is empty, and there is no Topic Alias")
	           : FAULT_NONE;
}

/* Topic name or packet identifier could not be read. */
static struct fault fault_of_head(const struct frame *frame)
{
	struct reader r = reader_of(frame->body);
	struct slice topic = read_string(&r);

	if (r.bad)
		return fault_of(REASON_MALFORMED, "the topic name is longer than the packet");
	return wire_packet_id_fault(frame, 2 + topic.len);
}

/* Two copies, each for its side: the broker's has no branch of the other. */
static inline __attribute__((always_inline)) struct fault decode(const struct frame *frame,
                                                                 enum mqtt_version version,
                                                                 struct publish *out,
                                                                 enum sender sender)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	out->dup = (frame->flags & FLAG_DUP) != 0;
	out->retain = (frame->flags & FLAG_RETAIN) != 0;
	out->qos = (uint8_t)((frame->flags & FLAG_QOS) >> 1);
	if (out->qos == 3) /* [MQTT-3.3.1-4] */
		return fault_of(REASON_MALFORMED, "the QoS is 3");
	if (out->qos == 0 && out->dup) /* [MQTT-3.3.1-2] */
		return fault_of(REASON_MALFORMED, "DUP is set with QoS 0");
	out->topic = read_string(&r);
	out->packet_id =
	    out->qos == 0 ? 0 : read_packet_id(&r); /* [MQTT3-2.3.1-5] [MQTT5-2.2.1-2] */
	if (r.bad)
		return fault_of_head(frame);
	if (version == MQTT_3_1_1)
		out->properties = (struct properties){0};
	else if (!fault_is_none(fault = read_publish_properties(&r, &out->properties, sender)))
		return fault;
	out->payload = read_rest(&r);
	if (!fault_is_none(fault =
	                       check_topic(out->topic, sender == OF_SERVER ||
	                                                   (out->retain && out->payload.len == 0 &&
	                                                    out->properties.topic_alias == 0))))
		return fault;
	return out->topic.len > 0 ? FAULT_NONE : check_empty_topic(out, version);
}

struct fault packet_publish_decode(const struct frame *frame, enum mqtt_version version,
                                   struct publish *out)
{
	return decode(frame, version, out, OF_CLIENT);
}

struct fault packet_publish_decode_of_server(const struct frame *frame, enum mqtt_version version,
                                             struct publish *out)
{
	return decode(frame, version, out, OF_SERVER);
}

bool packet_publish_cut(struct frame *frame, enum mqtt_version version)
{
	struct reader r = reader_of(frame->body);

	(void)read_string(&r);
	if (packet_publish_qos(frame) > 0)
		(void)read_u16(&r);
	if (version == MQTT_5_0)
		(void)read_bytes(&r, read_varint(&r));
	(void)read_u8(&r);
	if (r.bad)
		return false;
	frame->body.len -= reader_left(&r);
	return true;
}

/* The properties without their length. */
static size_t properties_size(const struct publish_out *p)
{
	size_t size = p->forwarded.len;

	for (size_t i = 0; i < p->subscription_id_count; i++)
		size += property_number_size(PROPERTY_SUBSCRIPTION_ID, p->subscription_ids[i]);
	if (p->has_expiry)
		size += property_number_size(PROPERTY_MESSAGE_EXPIRY, p->expiry_s);
	if (p->topic_alias != 0)
		size += property_number_size(PROPERTY_TOPIC_ALIAS, p->topic_alias);
	return size;
}

static size_t body_size(const struct publish_out *p, size_t properties_bytes)
{
	size_t size = 2 + p->topic.len + (p->qos > 0 ? 2u : 0u) + p->payload.len;

	if (p->version == MQTT_5_0)
		size += varint_size((uint32_t)properties_bytes) + properties_bytes;
	return size;
}

size_t packet_publish_size(const struct publish_out *p)
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
		property_put_number(out, PROPERTY_MESSAGE_EXPIRY, p->expiry_s);
	if (p->topic_alias != 0)
		property_put_number(out, PROPERTY_TOPIC_ALIAS, p->topic_alias);
	for (size_t i = 0; i < p->subscription_id_count; i++) /* [MQTT5-3.3.4-3, -4] */
		property_put_number(out, PROPERTY_SUBSCRIPTION_ID, p->subscription_ids[i]);
	buf_put_slice(out, p->forwarded);
}

static uint8_t flags_of(const struct publish_out *p)
{
	return (uint8_t)((p->dup ? FLAG_DUP : 0) | p->qos << 1 | (p->retain ? FLAG_RETAIN : 0));
}

size_t packet_publish_encode(struct buf *out, const struct publish_out *p)
{
	size_t properties = p->version == MQTT_5_0 ? properties_size(p) : 0;
	size_t body = body_size(p, properties);
	size_t start = out->len;
	size_t id_at = 0;

	REQUIRE(p->qos <= 2 && (p->qos == 0 || p->packet_id != 0));
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
