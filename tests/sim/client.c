/* See client.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "auth/scram.h"
#include "base/alloc.h"
#include "client_internal.h"
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

void client_pending_free(struct client *c, struct pending *p)
{
	DL_DELETE(c->pending, p);
	free(p->topic);
	free(p->payload);
	free(p);
}

void client_received_free(struct received *r)
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
		client_pending_free(c, c->pending);
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
		client_received_free(&c->received[i]);
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
void client_drop_old(struct client *c)
{
	if (c->old_wire != NULL)
		memory_send_end(wire_peer(c->old_wire), STREAM_END_RESET);
	c->old_wire = NULL;
}

void client_drop(struct client *c)
{
	client_drop_old(c);
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
			client_pending_free(c, p);
		}
	}
	return sent;
}

/* [MQTT-4.4.0-1] */
void client_resend_pending(struct client *c)
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
			client_pending_free(c, p);
	}
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
		client_take_packet(c, &f);
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
