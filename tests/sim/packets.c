/* See packets.h. */
#include "packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/scram.h"
#include "base/alloc.h"
#include "extras.h"
#include "proto/property.h"

/* --- to the broker --- */

static void put_block(struct buf *out, enum mqtt_version version, const struct buf *properties)
{
	if (version != MQTT_5_0)
		return;
	buf_put_varint(out, (uint32_t)properties->len);
	buf_put_slice(out, buf_slice(properties));
}

static void put_packet(struct buf *out, enum packet_type type, uint8_t flags, struct buf *body)
{
	frame_put_header(out, type, flags, body->len);
	buf_put_slice(out, buf_slice(body));
	buf_fini(body);
}

static void put_authentication(struct buf *p, const struct client *c,
                               const struct connect_options *o)
{
	struct buf first = {0};

	property_put_string(p, PROPERTY_AUTH_METHOD, slice_of_str(o->method));
	scram_peer_first(c->scram, &first);
	property_put_string(p, PROPERTY_AUTH_DATA, buf_slice(&first)); /* binary looks alike */
	buf_fini(&first);
}

static void put_connect_properties(struct buf *body, const struct client *c,
                                   const struct connect_options *o)
{
	struct buf p = {0};

	if (o->expiry_s != 0)
		property_put_number(&p, PROPERTY_SESSION_EXPIRY, o->expiry_s);
	if (o->receive_maximum != 0)
		property_put_number(&p, PROPERTY_RECEIVE_MAXIMUM, o->receive_maximum);
	if (o->topic_alias_maximum != 0)
		property_put_number(&p, PROPERTY_TOPIC_ALIAS_MAXIMUM, o->topic_alias_maximum);
	if (o->max_packet_bytes != 0)
		property_put_number(&p, PROPERTY_MAXIMUM_PACKET_SIZE, o->max_packet_bytes);
	if (o->method != NULL)
		put_authentication(&p, c, o);
	put_block(body, c->version, &p);
	buf_fini(&p);
}

static void put_will(struct buf *body, enum mqtt_version version, const struct will_options *will)
{
	struct buf p = {0};

	if (will->topic == NULL)
		return;
	if (will->delay_s != 0)
		property_put_number(&p, PROPERTY_WILL_DELAY, will->delay_s);
	if (will->expiry_s != 0)
		property_put_number(&p, PROPERTY_MESSAGE_EXPIRY, will->expiry_s);
	extras_draw(&p, will->extras);
	put_block(body, version, &p);
	buf_fini(&p);
	buf_put_string(body, slice_of_str(will->topic));
	buf_put_string(body, slice_of_str(will->payload));
}

void packets_put_connect(struct buf *out, const struct client *c, const struct connect_options *o)
{
	struct buf body = {0};
	bool says_password = o->password != NULL && o->method == NULL;
	unsigned flags = o->keep ? 0 : 2;

	if (o->will.topic != NULL)
		flags |= 4u | (unsigned)o->will.qos << 3 | (o->will.retain ? 32u : 0u);
	flags |= (o->user != NULL ? 128u : 0u) | (says_password ? 64u : 0u);
	buf_put_string(&body, SLICE("MQTT"));
	buf_put_u8(&body, (uint8_t)c->version);
	buf_put_u8(&body, (uint8_t)flags);
	buf_put_u16(&body, o->keep_alive_s);
	put_connect_properties(&body, c, o);
	buf_put_string(&body, slice_of_str(c->id));
	put_will(&body, c->version, &o->will);
	if (o->user != NULL)
		buf_put_string(&body, slice_of_str(o->user));
	if (says_password)
		buf_put_string(&body, slice_of_str(o->password));
	put_packet(out, PACKET_CONNECT, 0, &body);
}

void packets_put_disconnect(struct buf *out, enum mqtt_version version, enum reason reason,
                            const uint32_t *expiry_s)
{
	struct buf body = {0}, p = {0};

	if (expiry_s != NULL)
		property_put_number(&p, PROPERTY_SESSION_EXPIRY, *expiry_s);
	if (version == MQTT_5_0) {
		buf_put_u8(&body, (uint8_t)reason);
		put_block(&body, version, &p);
	}
	buf_fini(&p);
	put_packet(out, PACKET_DISCONNECT, 0, &body);
}

static uint8_t options_of(enum mqtt_version version, const struct subscribe_request *r)
{
	unsigned options = r->qos;

	if (version == MQTT_5_0)
		options |= (r->no_local ? 4u : 0u) | (r->retain_as_published ? 8u : 0u) |
		           (unsigned)r->retain_handling << 4;
	return (uint8_t)options;
}

void packets_put_subscribe(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                           const struct subscribe_request *requests, size_t count)
{
	struct buf body = {0}, p = {0};

	if (requests[0].id != 0)
		property_put_number(&p, PROPERTY_SUBSCRIPTION_ID, requests[0].id);
	buf_put_u16(&body, packet_id);
	put_block(&body, version, &p);
	buf_fini(&p);
	for (size_t i = 0; i < count; i++) {
		buf_put_string(&body, slice_of_str(requests[i].filter));
		buf_put_u8(&body, options_of(version, &requests[i]));
	}
	put_packet(out, PACKET_SUBSCRIBE, 2, &body);
}

void packets_put_unsubscribe(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                             const char *const *filters, size_t count)
{
	struct buf body = {0}, p = {0};

	buf_put_u16(&body, packet_id);
	put_block(&body, version, &p);
	for (size_t i = 0; i < count; i++)
		buf_put_string(&body, slice_of_str(filters[i]));
	put_packet(out, PACKET_UNSUBSCRIBE, 2, &body);
}

/* --- from the broker --- */

static void require_whole(const struct reader *r, const struct frame *f)
{
	if (r->bad || reader_left(r) > 0)
		fail_msg("the broker sent a %s that is not valid", packet_type_name(f->type));
}

/* [MQTT5-4.12.0-5] */
static void take_proof(struct client *c, const struct properties *p)
{
	if (c->connack_reason != 0 || c->scram == NULL)
		return;
	assert_true(slice_equal(p->auth_method, SCRAM_METHOD));
	if (!scram_peer_is_proven(c->scram, p->auth_data))
		fail_msg("%s: CONNACK without a proof", c->id);
	scram_peer_free(c->scram);
	c->scram = NULL;
}

static void take_limits(struct client *c, const struct properties *p)
{
	c->has_session_expiry = properties_have(p, PROPERTY_SESSION_EXPIRY);
	c->session_expiry_s = p->session_expiry_s;
	c->server_receive_maximum =
	    properties_have(p, PROPERTY_RECEIVE_MAXIMUM) ? p->receive_maximum : UINT16_MAX;
	c->server_topic_alias_maximum = p->topic_alias_maximum;
}

void packets_take_connack(struct client *c, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	uint8_t flags = read_u8(&r);
	struct properties p = {0};

	assert_false(c->accepted);
	c->connack_reason = read_u8(&r);
	c->server_receive_maximum = 20; /* 3.1.1 knows none */
	c->server_topic_alias_maximum = 0;
	if (c->version == MQTT_5_0) {
		assert_true(fault_is_none(properties_read(&r, PACKET_CONNACK, &p)));
		take_limits(c, &p);
		take_proof(c, &p);
	}
	require_whole(&r, f);
	c->session_present = (flags & 1) != 0;
	c->accepted = c->connack_reason == 0;
	if (!c->accepted)
		assert_int_equal(flags, 0); /* [MQTT3-3.2.2-4] [MQTT5-3.2.2-6] */
}

/* The properties a subscriber gets. */
struct publish_properties {
	struct received *out;
	struct extras extras;
	uint16_t topic_alias;
};

static void take_property(struct reader *r, struct publish_properties *to)
{
	struct received *out = to->out;
	uint32_t id = read_varint(r);

	if (extras_take(&to->extras, id, r))
		return;
	switch (id) {
	case PROPERTY_MESSAGE_EXPIRY:
		out->has_expiry = true;
		out->expiry_s = read_u32(r);
		break;
	case PROPERTY_SUBSCRIPTION_ID:
		assert_true(out->id_count < IDS_MAX);
		out->ids[out->id_count++] = read_varint(r);
		break;
	case PROPERTY_TOPIC_ALIAS:
		to->topic_alias = read_u16(r);
		assert_true(to->topic_alias > 0); /* [MQTT5-3.3.2-8] */
		break;
	default:
		fail_msg("the broker sent the property %u in a PUBLISH", id);
	}
}

/* [MQTT5-3.1.2-26] [MQTT5-3.1.2-27] */
static void resolve_alias(struct client *c, uint16_t alias, struct received *out)
{
	if (alias == 0)
		return;
	if (alias > c->topic_alias_maximum)
		fail_msg("%s: Topic Alias %u, the maximum is %u", c->id, alias,
		         c->topic_alias_maximum);
	if (out->topic[0] != '\0') {
		free(c->aliases_in[alias]);
		c->aliases_in[alias] = xstrdup(out->topic);
		return;
	}
	if (c->aliases_in[alias] == NULL)
		fail_msg("%s: Topic Alias %u stands for nothing", c->id, alias);
	free(out->topic);
	out->topic = xstrdup(c->aliases_in[alias]);
	out->aliased = true;
}

void packets_take_publish(struct client *c, const struct frame *f, struct received *out)
{
	struct reader r = reader_of(f->body), block;
	struct slice topic = read_string(&r), payload;
	struct publish_properties properties = {.out = out};

	out->qos = f->flags >> 1 & 3;
	out->dup = (f->flags & 8) != 0;
	out->retain = (f->flags & 1) != 0;
	if (out->qos > 0)
		out->packet_id = read_u16(&r);
	if (c->version == MQTT_5_0) {
		block = reader_of(read_bytes(&r, read_varint(&r)));
		while (reader_left(&block) > 0 && !block.bad)
			take_property(&block, &properties);
		r.bad |= block.bad;
	}
	payload = read_rest(&r);
	require_whole(&r, f);
	out->topic = slice_dup(topic);
	out->payload = slice_dup(payload);
	out->payload_len = payload.len;
	out->extras = extras_text(&properties.extras);
	resolve_alias(c, properties.topic_alias, out);
	assert_true(out->qos < 3 && out->topic[0] != '\0' &&
	            (out->qos == 0 || out->packet_id != 0));
}

static void take_suback(const struct client *c, struct reader *r, const struct frame *f,
                        struct answer *out)
{
	struct properties p;

	out->packet_id = read_u16(r);
	if (c->version == MQTT_5_0)
		assert_true(fault_is_none(properties_read(r, f->type, &p)));
	out->reason_count = reader_left(r);
	assert_true(out->reason_count <= sizeof(out->reasons));
	for (size_t i = 0; i < out->reason_count; i++)
		out->reasons[i] = read_u8(r);
}

void packets_take_answer(struct client *c, const struct frame *f, struct answer *out)
{
	struct reader r = reader_of(f->body);

	if (f->type == PACKET_SUBACK || f->type == PACKET_UNSUBACK) {
		take_suback(c, &r, f, out);
	} else if (f->type == PACKET_DISCONNECT) {
		assert_int_equal(c->version, MQTT_5_0);
		out->reasons[0] = reader_left(&r) > 0 ? read_u8(&r) : 0;
		c->disconnect_reason = out->reasons[0];
		read_rest(&r);
	}
	require_whole(&r, f);
}
