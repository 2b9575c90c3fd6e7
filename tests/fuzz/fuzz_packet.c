/* One packet through its decoder; what decodes and has an encoder is encoded and decoded again.
 * Input: a byte whose lowest bit chooses 5.0, then the packet. */
#include <stdint.h>
#include <stdlib.h>

#include "base/require.h"
#include "base/utf8.h"
#include "proto/packet_ack.h"
#include "proto/packet_auth.h"
#include "proto/packet_connect.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "proto/packet_publish.h"
#include "proto/packet_subscribe.h"
#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void packet_fn(const struct frame *f, enum mqtt_version version);

static struct frame frame_again(const struct buf *b)
{
	struct slice in = buf_slice(b);
	struct frame f = {0};
	size_t needed;

	REQUIRE(frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE && in.len == 0);
	return f;
}

/* What goes on is stable, and no User Property is lost. */
static void check_properties(const struct properties *p, unsigned owner)
{
	struct slice at = p->raw;
	struct slice name, value;
	struct buf once = {0};
	struct buf twice = {0};
	uint32_t users = 0;

	REQUIRE(owner < 16 && (p->present >> 43) == 0);
	while (properties_next_user(&at, &name, &value)) {
		REQUIRE(utf8_valid(name) && utf8_valid(value));
		users++;
	}
	REQUIRE(users == p->user_count);
	properties_put_forwarded(&once, p->raw);
	properties_put_forwarded(&twice, buf_slice(&once));
	REQUIRE(once.len <= p->raw.len && slice_equal(buf_slice(&once), buf_slice(&twice)));
	buf_fini(&once);
	buf_fini(&twice);
}

/* As a client writes it. */
static void connect_again(const struct connect *c)
{
	struct buf b = {0};
	struct connect back;
	struct frame again;

	packet_connect_encode(&b, c);
	again = frame_again(&b);
	REQUIRE(fault_is_none(packet_connect_decode(&again, &back)));
	REQUIRE(back.clean_start == c->clean_start && back.has_password == c->has_password);
	REQUIRE(slice_equal(back.password, c->password) &&
	        slice_equal(back.client_id, c->client_id));
	REQUIRE(slice_equal(back.properties.raw, c->properties.raw));
	REQUIRE(slice_equal(back.will.payload, c->will.payload) && back.will.qos == c->will.qos);
	buf_fini(&b);
}

static void on_connect(const struct frame *f, enum mqtt_version version)
{
	struct connect peeked, c;
	bool peeks = packet_connect_peek(f->body, &peeked);

	(void)version;
	if (!fault_is_none(packet_connect_decode(f, &c)))
		return;
	connect_again(&c);
	REQUIRE(peeks && peeked.has_client_id && slice_equal(peeked.client_id, c.client_id));
	REQUIRE(slice_equal(peeked.user_name, c.user_name) && peeked.version == c.version);
	REQUIRE(utf8_valid(c.client_id) && utf8_valid(c.user_name));
	REQUIRE(c.version == MQTT_5_0 || c.has_user_name || !c.has_password);
	REQUIRE(!c.will.present || topic_name_valid(c.will.topic));
	check_properties(&c.properties, PACKET_CONNECT);
	check_properties(&c.will.properties, PROPERTY_OWNER_WILL);
}

static void publish_again(const struct publish *p, enum mqtt_version version, struct buf *out)
{
	struct buf forwarded = {0};
	struct publish_out again = {
	    .version = version,
	    .dup = p->dup,
	    .retain = p->retain,
	    .qos = p->qos,
	    .has_expiry = properties_have(&p->properties, PROPERTY_MESSAGE_EXPIRY),
	    .packet_id = p->packet_id,
	    .topic_alias = p->properties.topic_alias,
	    .expiry_s = p->properties.message_expiry_s,
	    .topic = p->topic,
	    .payload = p->payload,
	};
	size_t id_at;

	properties_put_forwarded(&forwarded, p->properties.raw);
	again.forwarded = buf_slice(&forwarded);
	id_at = packet_publish_encode(out, &again);
	REQUIRE(out->len == packet_publish_size(&again));
	if (p->qos > 0)
		REQUIRE((out->data[id_at] << 8 | out->data[id_at + 1]) == p->packet_id);
	buf_fini(&forwarded);
}

static void on_publish(const struct frame *f, enum mqtt_version version)
{
	struct publish p, back;
	struct buf once = {0};
	struct buf twice = {0};
	struct frame again;

	if (!fault_is_none(packet_publish_decode(f, version, &p)))
		return;
	REQUIRE(topic_name_valid(p.topic) || (p.topic.len == 0 && p.properties.topic_alias != 0));
	check_properties(&p.properties, PACKET_PUBLISH);
	publish_again(&p, version, &once);
	REQUIRE(once.len == f->size_bytes || f->padded || version == MQTT_5_0);
	again = frame_again(&once);
	REQUIRE(fault_is_none(packet_publish_decode(&again, version, &back)));
	REQUIRE(slice_equal(back.topic, p.topic) && slice_equal(back.payload, p.payload));
	REQUIRE(back.properties.present == p.properties.present);
	publish_again(&back, version, &twice);
	REQUIRE(slice_equal(buf_slice(&once), buf_slice(&twice)));
	buf_fini(&once);
	buf_fini(&twice);
}

static void on_ack(const struct frame *f, enum mqtt_version version)
{
	struct buf b = {0};
	struct ack a, back;
	struct frame again;

	if (!fault_is_none(packet_ack_decode(f, version, &a)))
		return;
	check_properties(&a.properties, f->type);
	packet_ack_encode(&b, version, f->type, a.packet_id, a.reason, a.properties.reason_string);
	REQUIRE(b.len <= f->size_bytes);
	again = frame_again(&b);
	REQUIRE(fault_is_none(packet_ack_decode(&again, version, &back)));
	REQUIRE(back.packet_id == a.packet_id && back.reason == a.reason);
	REQUIRE(slice_equal(back.properties.reason_string, a.properties.reason_string));
	buf_fini(&b);
}

static void on_subscribe(const struct frame *f, enum mqtt_version version)
{
	struct subscription_options options;
	struct subscribe s;
	struct slice filter;
	size_t count = 0;

	if (!fault_is_none(packet_subscribe_decode(f, version, &s)))
		return;
	check_properties(&s.properties, PACKET_SUBSCRIBE);
	while (packet_subscribe_next(&s.entries, &filter, &options)) {
		REQUIRE(utf8_valid(filter) && options.qos <= 2 && options.retain_handling <= 2);
		count++;
	}
	REQUIRE(count == s.count && count > 0 && s.packet_id != 0);
}

static void on_unsubscribe(const struct frame *f, enum mqtt_version version)
{
	struct subscribe u;
	struct slice filter;
	size_t count = 0;

	if (!fault_is_none(packet_subscribe_decode(f, version, &u)))
		return;
	check_properties(&u.properties, PACKET_UNSUBSCRIBE);
	while (packet_unsubscribe_next(&u.entries, &filter)) {
		REQUIRE(utf8_valid(filter));
		count++;
	}
	REQUIRE(count == u.count && count > 0 && u.packet_id != 0);
}

static void on_pingreq(const struct frame *f, enum mqtt_version version)
{
	(void)version;
	REQUIRE((fault_is_none(packet_ping_decode(f))) == (f->body.len == 0 && f->flags == 0));
}

static void on_disconnect(const struct frame *f, enum mqtt_version version)
{
	struct buf b = {0};
	struct disconnect d, back;
	struct frame again;

	if (!fault_is_none(packet_disconnect_decode(f, version, &d)) || version != MQTT_5_0)
		return;
	check_properties(&d.properties, PACKET_DISCONNECT);
	packet_disconnect_encode(&b, d.reason, d.properties.reason_string, SLICE_EMPTY);
	again = frame_again(&b);
	REQUIRE(fault_is_none(packet_disconnect_decode(&again, version, &back)));
	REQUIRE(back.reason == d.reason);
	REQUIRE(slice_equal(back.properties.reason_string, d.properties.reason_string));
	buf_fini(&b);
}

static void on_auth(const struct frame *f, enum mqtt_version version)
{
	struct buf b = {0};
	struct auth a, back;
	struct frame again;

	(void)version;
	if (!fault_is_none(packet_auth_decode(f, &a)) || f->body.len == 0)
		return;
	check_properties(&a.properties, PACKET_AUTH);
	packet_auth_encode(&b, a.reason, a.properties.auth_method, a.properties.auth_data);
	again = frame_again(&b);
	REQUIRE(fault_is_none(packet_auth_decode(&again, &back)) && back.reason == a.reason);
	REQUIRE(slice_equal(back.properties.auth_method, a.properties.auth_method));
	REQUIRE(slice_equal(back.properties.auth_data, a.properties.auth_data));
	buf_fini(&b);
}

static packet_fn *const handlers[16] = {
    [PACKET_CONNECT] = on_connect,     [PACKET_PUBLISH] = on_publish,
    [PACKET_PUBACK] = on_ack,          [PACKET_PUBREC] = on_ack,
    [PACKET_PUBREL] = on_ack,          [PACKET_PUBCOMP] = on_ack,
    [PACKET_SUBSCRIBE] = on_subscribe, [PACKET_UNSUBSCRIBE] = on_unsubscribe,
    [PACKET_PINGREQ] = on_pingreq,     [PACKET_DISCONNECT] = on_disconnect,
    [PACKET_AUTH] = on_auth,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct frame f;
	size_t needed;
	uint8_t *body;

	if (size == 0)
		return 0;
	in = slice_skip(in, 1);
	if (frame_next(&in, SIZE_MAX, &f, &needed) != FRAME_COMPLETE || handlers[f.type] == NULL)
		return 0;
	body = malloc(f.body.len); /* exactly: what follows the packet is not its own */
	if (f.body.len > 0)
		memcpy(body, f.body.data, f.body.len);
	f.body.data = body;
	handlers[f.type](&f, (data[0] & 1) != 0 ? MQTT_5_0 : MQTT_3_1_1);
	free(body);
	return 0;
}
