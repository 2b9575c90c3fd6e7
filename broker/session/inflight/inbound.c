/* A table by packet identifier. */
#include "session/inflight/inbound.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/durability.h"
#include "session/client_link.h"
#include "session/inflight/input_limit.h"
#include "session/inflight/pending_ack.h"
#include "session/session_journal.h"

static struct inbound *inbound_find(struct session *s, uint16_t packet_id)
{
	struct inbound *in;

	HASH_FIND(hh, s->inbound, &packet_id, sizeof(packet_id), in);
	return in;
}

static void inbound_free(struct session *s, struct inbound *in)
{
	HASH_DEL(s->inbound, in);
	charge_sub(s->worker, &s->charge, INBOUND_COST);
	free(in);
}

struct inbound *inbound_new(struct session *s, uint16_t packet_id)
{
	struct inbound *in = xnew(in);

	REQUIRE_OWNER(s);
	REQUIRE(packet_id != 0 && inbound_find(s, packet_id) == NULL);
	in->packet_id = packet_id;
	in->pending = true;
	HASH_ADD(hh, s->inbound, packet_id, sizeof(in->packet_id), in);
	charge_add(s->worker, &s->charge, INBOUND_COST);
	return in;
}

/* [MQTT5-4.3.3-9] */
void inbound_stored(struct session *s, uint16_t packet_id, bool stored)
{
	struct inbound *in = inbound_find(s, packet_id);

	REQUIRE_OWNER(s);
	if (in == NULL)
		return;
	in->pending = false;
	if (in->again != NULL && stored)
		pending_ack_done(&in->again, REASON_SUCCESS, SLICE_EMPTY);
	else if (in->again != NULL)
		pending_ack_failed(&in->again);
	if (!stored)
		inbound_free(s, in);
}

void inbound_refused(struct session *s, uint16_t packet_id, bool stored, struct slice cause)
{
	struct inbound *in = inbound_find(s, packet_id);
	const struct client_link *link = in == NULL || in->again == NULL ? NULL : in->again->link;

	REQUIRE_OWNER(s);
	if (link != NULL) /* [MQTT5-3.5.2-2] */
		cause = client_link_reason_string(link, cause, REASON_STRING_REST);
	/* mutant: refused_again_hears_why */
	if (in != NULL && in->again != NULL && stored)
		pending_ack_done(&in->again, REASON_QUOTA_EXCEEDED, cause);
	inbound_stored(s, packet_id, false);
}

void inbound_restore(struct session *s, uint16_t packet_id)
{
	struct inbound *in = inbound_new(s, packet_id);

	in->pending = false;
	in->durability = DURABILITY_ACK;
}

/* The same identifier again before PUBREL: not routed again; PUBREC waits for what it waits for.
 * [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] [MQTT5-4.3.2-5] */
bool inbound_repeat(struct client_link *link, uint16_t packet_id)
{
	struct inbound *in = inbound_find(link->session, packet_id);

	REQUIRE_OWNER(link);
	if (in == NULL)
		return false;
	if (!in->pending) {
		pending_ack_send(link, PACKET_PUBREC, packet_id, REASON_SUCCESS, SLICE_EMPTY);
	} else if (in->again == NULL || in->again->link == NULL) {
		if (in->again != NULL)
			pending_ack_failed(&in->again);
		in->again = pending_ack_ack(link, PACKET_PUBREC, packet_id);
	}
	return true;
}

/* PUBCOMP leaves when the identifier is free on disk too: used again, it must not be taken for the
 * old one. [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] */
static void complete_inbound(struct client_link *link, struct inbound *in)
{
	struct session *s = link->session;
	bool waits =
	    in->durability == DURABILITY_ACK && s->durable && durability_is_on(link->worker);
	uint16_t packet_id = in->packet_id;
	struct pending_ack *pending_ack;

	if (in->durability != DURABILITY_NONE)
		session_journal_inbound_done(s, packet_id, waits);
	inbound_free(s, in);
	if (!waits) {
		pending_ack_send(link, PACKET_PUBCOMP, packet_id, REASON_SUCCESS, SLICE_EMPTY);
		return;
	}
	pending_ack = pending_ack_ack(link, PACKET_PUBCOMP, packet_id);
	pending_ack_commit(link->worker, &pending_ack);
}

/* [MQTT5-3.7.2-2, -3] [MQTT5-4.3.3-11, -12, -13] */
struct fault on_pubrel(struct client_link *link, const struct frame *f)
{
	struct ack ack;
	struct fault fault = client_link_read_ack(link, f, &ack);
	struct inbound *in;

	REQUIRE_OWNER(link);
	if (!fault_is_none(fault))
		return fault;
	in = inbound_find(link->session, ack.packet_id);
	if (in != NULL && in->pending)
		return fault_of(REASON_PROTOCOL_ERROR, "PUBREL arrived before its PUBREC was sent");
	if (in == NULL && input_limit_is_reached(link)) /* only what ends a flow is answered */
		return FAULT_NONE;
	if (in == NULL) {
		pending_ack_send(link, PACKET_PUBCOMP, ack.packet_id,
		                 link->version == MQTT_5_0 ? REASON_PACKET_ID_NOT_FOUND
		                                           : REASON_SUCCESS,
		                 SLICE_EMPTY);
		return FAULT_NONE;
	}
	complete_inbound(link, in);
	return FAULT_NONE;
}

bool inbound_free_all(struct session *s, size_t *steps)
{
	struct inbound *in, *next;

	REQUIRE_OWNER(s);
	REQUIRE(s->ended);
	HASH_ITER (hh, s->inbound, in, next) {
		/* mutant: unreleased_end_in_slices */
		if (*steps == 0)
			return false;
		(*steps)--;
		/* `next` was read before. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		HASH_DEL(s->inbound, in);
		charge_sub(s->worker, &s->charge, INBOUND_COST);
		if (in->again != NULL)
			pending_ack_failed(&in->again);
		free(in);
	}
	return true;
}
