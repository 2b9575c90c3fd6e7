/* See client.h. */
#include "client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "auth/scram.h"
#include "base/alloc.h"
#include "extras.h"
#include "packets.h"
#include "proto/packet_auth.h"
#include "proto/packet_publish.h"

#define SEND_WINDOW 20 /* where the broker says nothing (3.1.1) */

struct client *client_new(struct world *w, const char *id, enum mqtt_version version)
{
	struct client *c = xnew(c);

	c->world = w;
	c->id = xstrdup(id);
	c->version = version;
	LL_PREPEND(w->clients, c);
	return c;
}

static void pending_free(struct client *c, struct pending *p)
{
	DL_DELETE(c->pending, p);
	free(p->topic);
	free(p->payload);
	free(p);
}

static void received_free(struct received *r)
{
	free(r->topic);
	free(r->payload);
	free(r->extras);
}

static void forget_aliases(struct client *c)
{
	for (unsigned i = 0; i <= ALIASES_MAX; i++) {
		free(c->aliases_in[i]);
		free(c->aliases_out[i]);
		c->aliases_in[i] = c->aliases_out[i] = NULL;
	}
}

void client_free(struct client *c)
{
	LL_DELETE(c->world->clients, c);
	while (c->pending != NULL)
		pending_free(c, c->pending);
	client_forget(c);
	forget_aliases(c);
	scram_peer_free(c->scram);
	free(c->received);
	free(c->answers);
	free(c->unacked);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c->id);
	free(c);
}

void client_forget(struct client *c)
{
	for (size_t i = 0; i < c->received_count; i++)
		received_free(&c->received[i]);
	c->received_count = 0;
}

/* --- connecting --- */

static void reset_connection(struct client *c)
{
	c->wire = NULL;
	c->accepted = c->closed = c->session_present = c->stalled = false;
	c->connack_reason = c->disconnect_reason = 0;
	c->subscribes = 0;
	c->unacked_count = 0;
	c->given = 0;
	scram_peer_free(c->scram);
	c->scram = NULL;
	forget_aliases(c);
	buf_clear(&c->in);
	buf_clear(&c->out);
}

static void begin_connection(struct client *c, const struct connect_options *options)
{
	char name[64];

	reset_connection(c);
	c->life++;
	c->topic_alias_maximum = options->topic_alias_maximum;
	if (options->method != NULL)
		c->scram = scram_peer_new(options->user, options->password,
		                          world_random(c->world, UINT64_MAX));
	snprintf(name, sizeof(name), "%s-%u", c->id, c->life);
	c->wire = world_connect(c->world, name, options->certificate);
	packets_put_connect(&c->out, c, options);
}

void client_connect(struct client *c, const struct connect_options *options)
{
	client_drop(c);
	begin_connection(c, options);
}

void client_connect_over(struct client *c, const struct connect_options *options)
{
	if (c->wire != NULL)
		memory_stall(wire_peer(c->wire), false);
	c->old_wire = c->wire;
	begin_connection(c, options);
}

void client_join(struct client *c, const struct connect_options *options)
{
	client_drop(c);
	world_run(c->world); /* an older CONNECT of ours may still be in flight */
	client_connect(c, options);
	world_run(c->world);
	if (!c->accepted)
		fail_msg("%s: not accepted, CONNACK 0x%02x", c->id, c->connack_reason);
}

/* A connection that was to be taken over is dropped too. */
static void drop_old(struct client *c)
{
	if (c->old_wire != NULL)
		memory_send_end(wire_peer(c->old_wire), STREAM_END_RESET);
	c->old_wire = NULL;
}

void client_drop(struct client *c)
{
	drop_old(c);
	if (c->wire == NULL)
		return;
	memory_stall(wire_peer(c->wire), false);
	memory_send_end(wire_peer(c->wire), STREAM_END_RESET);
	c->wire = NULL;
	c->accepted = false;
	buf_clear(&c->in);
	buf_clear(&c->out);
}

void client_finish(struct client *c)
{
	memory_send(wire_peer(c->wire), buf_slice(&c->out));
	memory_send_end(wire_peer(c->wire), STREAM_END_PEER);
	c->wire = NULL;
	c->accepted = false;
	buf_clear(&c->in);
	buf_clear(&c->out);
}

void client_leave(struct client *c, enum reason reason)
{
	packets_put_disconnect(&c->out, c->version, reason, NULL);
	client_finish(c);
}

void client_leave_expiry(struct client *c, uint32_t expiry_s)
{
	packets_put_disconnect(&c->out, c->version, REASON_SUCCESS, &expiry_s);
	client_finish(c);
}

void client_stall(struct client *c, bool stalled)
{
	c->stalled = stalled;
	memory_stall(wire_peer(c->wire), stalled);
}

void client_send(struct client *c, struct slice bytes)
{
	buf_put_slice(&c->out, bytes);
}

/* --- subscribing --- */

static bool packet_id_is_free(const struct client *c, uint16_t id)
{
	const struct pending *p;

	DL_FOREACH (c->pending, p) {
		if (p->packet_id == id)
			return false;
	}
	return id != 0;
}

static uint16_t inflight_take_packet_id(struct client *c)
{
	do {
		c->next_packet_id++;
	} while (!packet_id_is_free(c, c->next_packet_id));
	return c->next_packet_id;
}

uint16_t client_subscribe_all(struct client *c, const struct subscribe_request *requests,
                              size_t count)
{
	uint16_t id = inflight_take_packet_id(c);

	c->subscribes++;
	packets_put_subscribe(&c->out, c->version, id, requests, count);
	return id;
}

uint16_t client_subscribe_with(struct client *c, const struct subscribe_request *request)
{
	return client_subscribe_all(c, request, 1);
}

uint16_t client_subscribe(struct client *c, const char *filter, uint8_t qos)
{
	struct subscribe_request request = {.filter = filter, .qos = qos};

	return client_subscribe_with(c, &request);
}

uint16_t client_unsubscribe_all(struct client *c, const char *const *filters, size_t count)
{
	uint16_t id = inflight_take_packet_id(c);

	packets_put_unsubscribe(&c->out, c->version, id, filters, count);
	return id;
}

uint16_t client_unsubscribe(struct client *c, const char *filter)
{
	return client_unsubscribe_all(c, &filter, 1);
}

void client_ping(struct client *c)
{
	frame_put_header(&c->out, PACKET_PINGREQ, 0, 0);
}

void client_reauthenticate(struct client *c, const char *user, const char *password)
{
	struct buf first = {0};

	c->scram = scram_peer_new(user, password, world_random(c->world, UINT64_MAX));
	scram_peer_first(c->scram, &first);
	packet_auth_encode(&c->out, REASON_REAUTHENTICATE, SCRAM_METHOD, buf_slice(&first));
	buf_fini(&first);
}

/* --- publishing --- */

struct pending *client_publish_with(struct client *c, const char *topic, uint8_t qos,
                                    const char *payload)
{
	struct pending *p = xnew(p);

	p->topic = xstrdup(topic);
	p->payload = xstrdup(payload);
	p->qos = qos;
	DL_APPEND(c->pending, p);
	return p;
}

void client_publish(struct client *c, const char *topic, uint8_t qos, const char *payload)
{
	client_publish_with(c, topic, qos, payload);
}

void client_publish_retained(struct client *c, const char *topic, uint8_t qos, const char *payload)
{
	client_publish_with(c, topic, qos, payload)->retain = true;
}

void client_publish_expiring(struct client *c, const char *topic, uint8_t qos, const char *payload,
                             uint32_t expiry_s)
{
	struct pending *p = client_publish_with(c, topic, qos, payload);

	p->has_expiry = true;
	p->expiry_s = expiry_s;
}

bool client_is_done(const struct client *c)
{
	return c->pending == NULL;
}

/* An alias that is known is sent without the topic; otherwise it is known from here on. */
static void use_alias(struct client *c, struct pending *p, struct publish_out *out)
{
	char **known = &c->aliases_out[p->topic_alias];

	p->aliased = false;
	if (p->topic_alias == 0 || p->topic_alias > c->server_topic_alias_maximum)
		return;
	out->topic_alias = p->topic_alias;
	if (*known != NULL && strcmp(*known, p->topic) == 0) {
		out->topic = SLICE_EMPTY;
		p->aliased = true;
		return;
	}
	free(*known);
	*known = xstrdup(p->topic);
}

static void put_publish(struct client *c, struct pending *p, bool dup)
{
	struct buf extras = {0};
	size_t before = c->out.len;
	struct publish_out out = {.version = c->version,
	                          .dup = dup,
	                          .retain = p->retain,
	                          .qos = p->qos,
	                          .packet_id = p->packet_id,
	                          .has_expiry = p->has_expiry,
	                          .expiry_s = p->expiry_s,
	                          .topic = slice_of_str(p->topic),
	                          .payload = slice_of_str(p->payload)};

	extras_draw(&extras, p->extras);
	out.forwarded = buf_slice(&extras);
	use_alias(c, p, &out);
	packet_publish_encode(&c->out, &out);
	p->packet_bytes = c->out.len - before;
	buf_fini(&extras);
	if (c->watch != NULL && c->watch->sent != NULL)
		c->watch->sent(c, p, dup);
}

static bool send_pending(struct client *c)
{
	struct pending *p, *next;
	unsigned in_flight = 0;
	bool sent = false;

	if (!c->accepted)
		return false;
	DL_FOREACH_SAFE (c->pending, p, next) {
		if (p->stage != PENDING_QUEUED) {
			in_flight++;
			continue;
		}
		if (p->qos > 0 && in_flight >= c->server_receive_maximum)
			break;
		p->packet_id = p->qos == 0 ? 0 : inflight_take_packet_id(c);
		p->stage = PENDING_SENT;
		put_publish(c, p, false);
		in_flight++;
		sent = true;
		if (p->qos == 0) {
			in_flight--;
			pending_free(c, p);
		}
	}
	return sent;
}

/* [MQTT-4.4.0-1] */
static void resend_pending(struct client *c)
{
	struct pending *p;

	DL_FOREACH (c->pending, p) {
		if (p->stage == PENDING_SENT)
			put_publish(c, p, true);
		else if (p->stage == PENDING_RELEASED)
			client_ack(c, PACKET_PUBREL, p->packet_id, REASON_SUCCESS);
	}
}

void client_forget_session(struct client *c)
{
	struct pending *p, *next;

	memset(c->inbound, 0, sizeof(c->inbound));
	DL_FOREACH_SAFE (c->pending, p, next) {
		if (p->stage != PENDING_QUEUED)
			pending_free(c, p);
	}
}

/* With `manual` a test sends by itself, and uses identifiers that we do not know. */
static struct pending *pending_find(struct client *c, uint16_t packet_id)
{
	struct pending *p;

	DL_FOREACH (c->pending, p) {
		if (p->stage != PENDING_QUEUED && p->packet_id == packet_id)
			return p;
	}
	if (!c->manual)
		fail_msg("%s: acknowledgement of %u, which is not in use", c->id, packet_id);
	return NULL;
}

/* --- what comes --- */

void client_ack(struct client *c, enum packet_type type, uint16_t packet_id, enum reason reason)
{
	packet_ack_encode(&c->out, c->version, type, packet_id, reason, SLICE_EMPTY);
}

static void take_connack(struct client *c, const struct frame *f)
{
	packets_take_connack(c, f);
	if (c->accepted)
		c->old_wire = NULL; /* the broker ends it */
	drop_old(c);
	if (c->watch != NULL && c->watch->connack != NULL)
		c->watch->connack(c);
	if (!c->accepted)
		return;
	if (c->session_present)
		resend_pending(c);
	else
		client_forget_session(c);
}

static bool inbound_seen(const struct client *c, uint16_t id)
{
	return (c->inbound[id / 8] >> id % 8 & 1) != 0;
}

static void inbound_set(struct client *c, uint16_t id, bool seen)
{
	uint8_t bit = (uint8_t)(1 << id % 8);

	c->inbound[id / 8] = (uint8_t)(seen ? c->inbound[id / 8] | bit : c->inbound[id / 8] & ~bit);
}

static void keep_received(struct client *c, const struct received *r)
{
	if (c->received_count == c->received_cap) {
		c->received_cap = c->received_cap == 0 ? 64 : c->received_cap * 2;
		c->received = xrealloc_array(c->received, c->received_cap, sizeof(*c->received));
	}
	c->received[c->received_count++] = *r;
}

/* A watcher sees it, and it is not stored. */
static void hand_on(struct client *c, struct received *r)
{
	if (c->watch == NULL || c->watch->received == NULL) {
		keep_received(c, r);
		return;
	}
	c->watch->received(c, r);
	received_free(r);
}

static void owe_ack(struct client *c, enum packet_type type, uint16_t packet_id)
{
	if (!c->slow) {
		client_ack(c, type, packet_id, REASON_SUCCESS);
		return;
	}
	if (c->unacked_count == c->unacked_cap) {
		c->unacked_cap = c->unacked_cap == 0 ? 16 : c->unacked_cap * 2;
		c->unacked = xrealloc_array(c->unacked, c->unacked_cap, sizeof(*c->unacked));
	}
	c->unacked[c->unacked_count++] = (struct unacked){.type = type, .packet_id = packet_id};
}

void client_catch_up(struct client *c, size_t count)
{
	count = count < c->unacked_count ? count : c->unacked_count;
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		client_ack(c, c->unacked[i].type, c->unacked[i].packet_id, REASON_SUCCESS);
	c->unacked_count -= count;
	memmove(c->unacked, c->unacked + count, c->unacked_count * sizeof(*c->unacked));
}

static void take_publish(struct client *c, const struct frame *f)
{
	struct received r = {.life = c->life};
	uint16_t id;
	uint8_t qos;

	packets_take_publish(c, f, &r);
	id = r.packet_id;
	qos = r.qos;
	if (qos == 2 && inbound_seen(c, id)) {
		if (c->watch != NULL && c->watch->again != NULL)
			c->watch->again(c, &r);
		received_free(&r);
	} else {
		if (qos == 2)
			inbound_set(c, id, true);
		hand_on(c, &r);
	}
	if (qos > 0 && !c->manual)
		owe_ack(c, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, id);
}

static void report_acked(struct client *c, const struct pending *p, enum packet_type type,
                         enum reason reason)
{
	if (c->watch != NULL && c->watch->acked != NULL)
		c->watch->acked(c, p, type, reason);
}

static void take_puback(struct client *c, const struct ack *ack)
{
	struct pending *p = pending_find(c, ack->packet_id);

	if (p == NULL)
		return;
	assert_int_equal(p->qos, 1);
	report_acked(c, p, PACKET_PUBACK, ack->reason);
	pending_free(c, p);
}

static void take_pubrec(struct client *c, const struct ack *ack)
{
	struct pending *p = pending_find(c, ack->packet_id);

	if (p == NULL)
		return;
	assert_int_equal(p->qos, 2);
	report_acked(c, p, PACKET_PUBREC, ack->reason);
	if (ack->reason >= REASON_UNSPECIFIED) {
		pending_free(c, p);
		return;
	}
	p->stage = PENDING_RELEASED;
	client_ack(c, PACKET_PUBREL, p->packet_id, REASON_SUCCESS);
}

static void take_pubcomp(struct client *c, const struct ack *ack)
{
	struct pending *p = pending_find(c, ack->packet_id);

	if (p == NULL)
		return;
	assert_int_equal(p->stage, PENDING_RELEASED);
	report_acked(c, p, PACKET_PUBCOMP, ack->reason);
	pending_free(c, p);
}

static void take_pubrel(struct client *c, const struct ack *ack)
{
	inbound_set(c, ack->packet_id, false);
	client_ack(c, PACKET_PUBCOMP, ack->packet_id, REASON_SUCCESS);
}

static void keep_answer(struct client *c, const struct answer *a)
{
	if (c->watch != NULL && c->watch->answered != NULL) {
		c->watch->answered(c, a);
		return;
	}
	if (c->answer_count == c->answer_cap) {
		c->answer_cap = c->answer_cap == 0 ? 16 : c->answer_cap * 2;
		c->answers = xrealloc_array(c->answers, c->answer_cap, sizeof(*c->answers));
	}
	c->answers[c->answer_count++] = *a;
}

static void take_ack(struct client *c, const struct frame *f)
{
	struct ack ack;
	struct answer a = {.type = f->type, .life = c->life, .reason_count = 1};

	if (!fault_is_none(packet_ack_decode(f, c->version, &ack)))
		fail_msg("%s: the broker sent a %s that is not valid", c->id,
		         packet_type_name(f->type));
	a.packet_id = ack.packet_id;
	a.reasons[0] = (uint8_t)ack.reason;
	keep_answer(c, &a);
	if (f->type == PACKET_PUBACK)
		take_puback(c, &ack);
	else if (f->type == PACKET_PUBREC)
		take_pubrec(c, &ack);
	else if (f->type == PACKET_PUBREL)
		take_pubrel(c, &ack);
	else
		take_pubcomp(c, &ack);
}

static void take_other(struct client *c, const struct frame *f)
{
	struct answer a = {.type = f->type, .life = c->life};

	packets_take_answer(c, f, &a);
	keep_answer(c, &a);
}

static void answer_challenge(struct client *c, struct slice challenge)
{
	struct buf final = {0};

	if (c->scram == NULL || !scram_peer_final(c->scram, challenge, &final))
		fail_msg("%s: AUTH with a challenge that is none", c->id);
	packet_auth_encode(&c->out, REASON_CONTINUE_AUTHENTICATION, SCRAM_METHOD,
	                   buf_slice(&final));
	buf_fini(&final);
}

/* [MQTT5-4.12.0-2] [MQTT5-4.12.0-5] */
static void take_auth(struct client *c, const struct frame *f)
{
	struct answer a = {.type = PACKET_AUTH, .life = c->life, .reason_count = 1};
	struct auth auth;

	assert_true(fault_is_none(packet_auth_decode(f, &auth)));
	assert_true(slice_equal(auth.properties.auth_method, SCRAM_METHOD));
	if (auth.reason == REASON_CONTINUE_AUTHENTICATION) {
		answer_challenge(c, auth.properties.auth_data);
		return;
	}
	assert_int_equal(auth.reason, REASON_SUCCESS);
	if (!c->accepted || c->scram == NULL ||
	    !scram_peer_is_proven(c->scram, auth.properties.auth_data))
		fail_msg("%s: AUTH without a proof", c->id);
	scram_peer_free(c->scram);
	c->scram = NULL;
	keep_answer(c, &a);
}

typedef void take_fn(struct client *c, const struct frame *f);

static take_fn *const takers[16] = {
    [PACKET_CONNACK] = take_connack, [PACKET_PUBLISH] = take_publish,
    [PACKET_PUBACK] = take_ack,      [PACKET_PUBREC] = take_ack,
    [PACKET_PUBREL] = take_ack,      [PACKET_PUBCOMP] = take_ack,
    [PACKET_SUBACK] = take_other,    [PACKET_UNSUBACK] = take_other,
    [PACKET_PINGRESP] = take_other,  [PACKET_DISCONNECT] = take_other,
    [PACKET_AUTH] = take_auth,
};

static void take_packet(struct client *c, const struct frame *f)
{
	if (takers[f->type] == NULL)
		fail_msg("%s: the broker sent a %s", c->id, packet_type_name(f->type));
	if (f->type != PACKET_CONNACK && f->type != PACKET_AUTH && !c->accepted)
		fail_msg("%s: %s before CONNACK", c->id, packet_type_name(f->type));
	takers[f->type](c, f);
}

/* --- turns --- */

static bool take_bytes(struct client *c)
{
	struct buf *from = memory_received(wire_peer(c->wire));
	size_t n = from->len;
	struct slice in;
	struct frame f;
	size_t needed;

	if (n == 0 || c->stalled)
		return false;
	if (world_random(c->world, 2) == 0)
		n = 1 + world_random(c->world, n);
	buf_put(&c->in, from->data, n);
	buf_consume(from, n);
	in = buf_slice(&c->in);
	while (frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE)
		take_packet(c, &f);
	buf_consume(&c->in, c->in.len - in.len);
	return true;
}

static bool give_bytes(struct client *c)
{
	size_t n = c->out.len;

	if (n == 0)
		return false;
	if (world_random(c->world, 3) == 0)
		n = 1 + world_random(c->world, n);
	memory_send(wire_peer(c->wire), slice_of(c->out.data, n));
	buf_consume(&c->out, n);
	c->given += n;
	return true;
}

bool client_turn(struct client *c)
{
	bool moved;

	if (c->wire == NULL)
		return false;
	moved = take_bytes(c);
	if (c->wire == NULL)
		return true;
	moved |= send_pending(c);
	moved |= give_bytes(c);
	if (memory_is_closed(wire_peer(c->wire)) && memory_received(wire_peer(c->wire))->len == 0)
		c->closed = true;
	return moved;
}

size_t client_answers(const struct client *c, enum packet_type type, struct answer *out)
{
	size_t count = 0;

	for (size_t i = 0; i < c->answer_count; i++) {
		if (c->answers[i].type != type || c->answers[i].life != c->life)
			continue;
		count++;
		if (out != NULL)
			*out = c->answers[i];
	}
	return count;
}
