/* The queue of what a connection is owed. */
#include "session/pending_ack.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "client/admission.h"
#include "proto/packet_disconnect.h"
#include "routing/local_delivery.h"

static void unref(struct pending_ack *r)
{
	REQUIRE(r->refs > 0);
	if (--r->refs > 0)
		return;
	buf_fini(&r->bytes);
	free(r);
}

static struct pending_ack *append(struct conn *c, enum packet_type type)
{
	struct pending_ack *r = xnew(r);

	r->refs = 2; /* the queue's and the caller's */
	r->conn = c;
	r->type = type;
	*c->pending_acks_tail = r;
	c->pending_acks_tail = &r->next;
	input_limit_add(c, type);
	return r;
}

struct pending_ack *pending_ack_ack(struct conn *c, enum packet_type type, uint16_t packet_id)
{
	struct pending_ack *r = append(c, type);

	r->packet_id = packet_id;
	return r;
}

struct pending_ack *pending_ack_packet(struct conn *c, enum packet_type type, struct buf *bytes)
{
	struct pending_ack *r = append(c, type);

	r->bytes = *bytes;
	*bytes = (struct buf){0};
	r->holds_deliveries = type == PACKET_SUBACK || type == PACKET_CONNACK;
	if (r->holds_deliveries)
		c->holding++;
	return r;
}

/* An acknowledgement that ends a flow gives back one of the Receive Maximum. [MQTT5-4.9.0-2] */
static void credit(struct conn *c, enum packet_type type, enum reason reason)
{
	bool ends = type == PACKET_PUBACK || type == PACKET_PUBCOMP ||
	            (type == PACKET_PUBREC && reason >= REASON_UNSPECIFIED);

	if (ends && c->inbound_unacked > 0)
		c->inbound_unacked--;
}

static void write_ack(struct conn *c, enum packet_type type, uint16_t packet_id, enum reason reason,
                      struct slice text)
{
	ack_encode(conn_out(c), c->version, type, packet_id, reason, text);
	count(&c->worker->counters.packets_sent);
	credit(c, type, reason);
}

static void write_ping(struct conn *c)
{
	pingresp_encode(conn_out(c));
	count(&c->worker->counters.packets_sent);
}

/* They wait for CONNACK, and for nothing else. */
static void release_pings(struct conn *c)
{
	for (; c->limit.pings > 0; c->limit.pings--)
		write_ping(c);
}

void pending_ack_ping(struct conn *c)
{
	if (conn_has_connack(c))
		write_ping(c);
	else
		c->limit.pings++;
}

/* Everything at the head that is ready leaves. [MQTT-4.6.0-2, -3, -4] */
static void release(struct conn *c)
{
	bool pump = false;

	/* mutant: refused_gets_no_connack */
	if (!admission_holds(c))
		return;
	while (c->pending_acks != NULL && c->pending_acks->ready) {
		struct pending_ack *r = c->pending_acks;

		c->pending_acks = r->next;
		if (c->pending_acks == NULL)
			c->pending_acks_tail = &c->pending_acks;
		input_limit_remove(c, r->type);
		if (r->bytes.len > 0)
			buf_put_slice(conn_out(c), buf_slice(&r->bytes));
		count(&c->worker->counters.packets_sent);
		if (r->type == PACKET_CONNACK)
			release_pings(c);
		if (r->holds_deliveries && --c->holding == 0)
			pump = true;
		else if (!r->holds_deliveries)
			credit(c, r->type, r->reason);
		unref(r);
	}
	if (pump && c->session != NULL) {
		session_pump(c->session);
		replay_wake(c->session);
	}
	if ((c->pauses & CONN_PAUSE_STORE) != 0 || c->limit.drain != NULL)
		worker_review(c->worker, c);
}

void pending_ack_done(struct pending_ack **ref, enum reason reason, struct slice reason_string)
{
	struct pending_ack *r = *ref;
	struct conn *c = r->conn;

	*ref = NULL;
	if (c != NULL) {
		r->ready = true;
		r->reason = reason;
		if (r->bytes.len == 0)
			ack_encode(&r->bytes, c->version, r->type, r->packet_id, reason,
			           reason_string);
		release(c);
	}
	unref(r);
}

void pending_ack_send(struct conn *c, enum packet_type type, uint16_t packet_id, enum reason reason,
                      struct slice text)
{
	struct pending_ack *r;

	if (c->pending_acks == NULL) {
		write_ack(c, type, packet_id, reason, text);
		return;
	}
	r = pending_ack_ack(c, type, packet_id);
	pending_ack_done(&r, reason, text);
}

/* [MQTT3-4.8.0-2] */
void pending_ack_failed(struct pending_ack **ref)
{
	struct pending_ack *r = *ref;
	struct conn *c = r->conn;

	*ref = NULL;
	unref(r);
	if (c != NULL)
		conn_fail(c, REASON_UNSPECIFIED, "what this acknowledges could not be kept");
}

void pending_acks_forget(struct conn *c)
{
	while (c->pending_acks != NULL) {
		struct pending_ack *r = c->pending_acks;

		c->pending_acks = r->next;
		r->conn = NULL;
		unref(r);
	}
	c->pending_acks_tail = &c->pending_acks;
	c->holding = 0;
}
