/* The queue of what a connection is owed. */
#include "session/inflight/pending_ack.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"
#include "journal/journal_ops.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "session/client_link.h"
#include "session/inflight/input_limit.h"
#include "session/link_output.h"
#include "session/session_upcalls.h"

_Static_assert(sizeof(struct pending_ack) + 2 * CHARGE_ALLOC <= PENDING_ACK_COST, "it is counted");

static void unref(struct pending_ack *r)
{
	REQUIRE(r->refs > 0);
	if (--r->refs > 0)
		return;
	buf_fini(&r->bytes);
	free(r);
}

static struct pending_ack *append(struct client_link *link, enum packet_type type)
{
	struct pending_ack *r = xnew(r);

	REQUIRE_OWNER(link);
	r->refs = 2; /* the queue's and the caller's */
	r->link = link;
	r->type = type;
	r->since_ms = link->worker->executor.now_ms;
	*link->pending_acks_tail = r;
	link->pending_acks_tail = &r->next;
	input_limit_add(link, type);
	if (link->acks_counted != link_output_acks(link))
		link_output_count(link);
	return r;
}

struct pending_ack *pending_ack_ack(struct client_link *link, enum packet_type type,
                                    uint16_t packet_id)
{
	struct pending_ack *r = append(link, type);

	r->packet_id = packet_id;
	return r;
}

struct pending_ack *pending_ack_packet(struct client_link *link, enum packet_type type,
                                       struct buf *bytes)
{
	struct pending_ack *r = append(link, type);

	REQUIRE(bytes->len > 0); /* empty means an acknowledgement that is yet to be encoded */
	r->bytes = *bytes;
	*bytes = (struct buf){0};
	r->holds_deliveries = type == PACKET_SUBACK || type == PACKET_CONNACK;
	if (r->holds_deliveries)
		link->holding++;
	return r;
}

/* CONNACK is the first packet it gets: while that one waits, it gets none.
 * [MQTT3-3.2.0-1] [MQTT5-3.2.0-1] [MQTT5-3.14.0-1] */
bool pending_ack_has_connack(const struct client_link *link)
{
	return link->accepted &&
	       (link->pending_acks == NULL || link->pending_acks->type != PACKET_CONNACK);
}

/* An acknowledgement that ends a flow gives back one of the Receive Maximum. [MQTT5-4.9.0-2] */
static void credit(struct client_link *link, enum packet_type type, enum reason reason)
{
	bool ends = type == PACKET_PUBACK || type == PACKET_PUBCOMP ||
	            (type == PACKET_PUBREC && reason >= REASON_UNSPECIFIED);

	if (ends && link->inbound_unacked > 0)
		link->inbound_unacked--;
}

static void write_ping(struct client_link *link)
{
	packet_ping_encode(link_output_buf(link));
	count_packet_sent(&link->worker->counters, PACKET_PINGRESP, 2);
}

void pending_ack_ping(struct client_link *link)
{
	REQUIRE_OWNER(link);
	if (pending_ack_has_connack(link))
		write_ping(link);
	else
		link->limit.pings++;
}

/* Everything at the head that is ready leaves. [MQTT-4.6.0-2, -3, -4] */
static void release(struct client_link *link)
{
	bool pump = false;

	/* mutant: refused_gets_no_connack */
	if (!client_link_is_admitted(link))
		return;
	while (link->pending_acks != NULL && link->pending_acks->ready) {
		struct pending_ack *r = link->pending_acks;

		link->pending_acks = r->next;
		if (link->pending_acks == NULL)
			link->pending_acks_tail = &link->pending_acks;
		input_limit_remove(link, r->type);
		buf_put_slice(link_output_buf(link), buf_slice(&r->bytes));
		count_packet_sent(&link->worker->counters, r->type, r->bytes.len);
		if (r->type == PACKET_PUBACK || r->type == PACKET_PUBREC)
			latency_count(link->worker->counters.publish_ack_ms,
			              link->worker->executor.now_ms - r->since_ms);
		/* PINGRESPs wait for CONNACK, and for nothing else. */
		for (; r->type == PACKET_CONNACK && link->limit.pings > 0; link->limit.pings--)
			write_ping(link);
		REQUIRE(!r->holds_deliveries || link->holding > 0);
		if (r->holds_deliveries && --link->holding == 0)
			pump = true;
		else if (!r->holds_deliveries)
			credit(link, r->type, r->reason);
		unref(r);
	}
	if (pump)
		link->worker->upcalls->on_unblocked(link);
	if ((link->pauses & PAUSE_STORE) != 0 || link->limit.drain != NULL)
		client_link_review(link);
}

void pending_ack_done(struct pending_ack **ref, enum reason reason, struct slice reason_string)
{
	struct pending_ack *r = *ref;
	struct client_link *link = r->link;

	*ref = NULL;
	REQUIRE(!r->ready);
	if (link != NULL) {
		REQUIRE_OWNER(link);
		r->ready = true;
		r->reason = reason;
		if (r->bytes.len == 0)
			packet_ack_encode(&r->bytes, link->version, r->type, r->packet_id, reason,
			                  reason_string);
		release(link);
	}
	unref(r);
}

void pending_ack_send(struct client_link *link, enum packet_type type, uint16_t packet_id,
                      enum reason reason, struct slice text)
{
	struct pending_ack *r;

	REQUIRE_OWNER(link);
	if (link->pending_acks == NULL) {
		struct buf *out = link_output_buf(link);
		size_t before = out->len;

		packet_ack_encode(out, link->version, type, packet_id, reason, text);
		count_packet_sent(&link->worker->counters, type, out->len - before);
		credit(link, type, reason);
		return;
	}
	r = pending_ack_ack(link, type, packet_id);
	pending_ack_done(&r, reason, text);
}

/* [MQTT3-4.8.0-2] */
void pending_ack_failed(struct pending_ack **ref)
{
	struct pending_ack *r = *ref;
	struct client_link *link = r->link;

	*ref = NULL;
	REQUIRE(!r->ready);
	unref(r);
	if (link != NULL)
		link->worker->upcalls->on_ack_failed(link);
}

void pending_acks_forget(struct client_link *link)
{
	REQUIRE_OWNER(link);
	while (link->pending_acks != NULL) {
		struct pending_ack *r = link->pending_acks;

		link->pending_acks = r->next;
		r->link = NULL;
		unref(r);
	}
	link->pending_acks_tail = &link->pending_acks;
	link->holding = 0;
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct pending_ack *pending_ack = journal_group_context(group);

	(void)executor_arg;
	if (status == 0)
		pending_ack_done(&pending_ack, REASON_SUCCESS, SLICE_EMPTY);
	else
		pending_ack_failed(&pending_ack);
}

void pending_ack_commit(struct worker *w, struct pending_ack **pending_ack)
{
	struct client_link *link = (*pending_ack)->link;

	REQUIRE_EXECUTOR(&w->executor);
	record_batch_commit(w, on_committed, *pending_ack);
	*pending_ack = NULL;
	if (link != NULL)
		input_limit_note_journal(link);
}
