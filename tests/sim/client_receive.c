/* What a client does with each packet that it receives. */
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
#include "packets.h"
#include "proto/packet_auth.h"

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

void client_ack(struct client *c, enum packet_type type, uint16_t packet_id, enum reason reason)
{
	packet_ack_encode(&c->out, c->version, type, packet_id, reason, SLICE_EMPTY);
}

static void take_connack(struct client *c, const struct frame *f)
{
	packets_take_connack(c, f);
	if (c->accepted)
		c->old_wire = NULL; /* the broker ends it */
	client_drop_old(c);
	if (c->watch != NULL && c->watch->connack != NULL)
		c->watch->connack(c);
	if (!c->accepted)
		return;
	if (c->session_present)
		client_resend_pending(c);
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
	client_received_free(r);
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
		client_received_free(&r);
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
	client_pending_free(c, p);
}

static void take_pubrec(struct client *c, const struct ack *ack)
{
	struct pending *p = pending_find(c, ack->packet_id);

	if (p == NULL)
		return;
	assert_int_equal(p->qos, 2);
	report_acked(c, p, PACKET_PUBREC, ack->reason);
	if (ack->reason >= REASON_UNSPECIFIED) {
		client_pending_free(c, p);
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
	client_pending_free(c, p);
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

void client_take_packet(struct client *c, const struct frame *f)
{
	if (takers[f->type] == NULL)
		fail_msg("%s: the broker sent a %s", c->id, packet_type_name(f->type));
	if (f->type != PACKET_CONNACK && f->type != PACKET_AUTH && !c->accepted)
		fail_msg("%s: %s before CONNACK", c->id, packet_type_name(f->type));
	takers[f->type](c, f);
}
