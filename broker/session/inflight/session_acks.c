/* What a client says of the messages it was sent: PUBACK, PUBREC, PUBCOMP. */
#include "session/inflight/session_acks.h"

#include "base/scratch.h"
#include "session/client_link.h"
#include "session/inflight/input_limit.h"
#include "session/session_deliver.h"
#include "session/session_journal.h"

/* The message that is meant, *o; NULL: one of an earlier connection, nothing waits for it. A fault:
 * the packet is wrong. */
static struct fault read_and_find(struct client_link *link, const struct frame *f, uint8_t qos,
                                  struct ack *ack, struct inflight **o)
{
	struct fault fault = client_link_read_ack(link, f, ack);

	REQUIRE_OWNER(link);
	if (!fault_is_none(fault))
		return fault;
	*o = inflight_find(link->session, ack->packet_id);
	if (*o != NULL && ((*o)->qos != qos || !(*o)->sent))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "no message of this packet identifier and QoS was sent");
	return FAULT_NONE;
}

/* The flow ends with this packet, and what waits for its place in the window is sent. */
static struct fault end_flow(struct session *s, struct inflight *o)
{
	if (o == NULL)
		return FAULT_NONE;
	inflight_remove(s, o);
	session_deliver_waiting(s);
	return FAULT_NONE;
}

/* [MQTT5-4.3.2-3] [MQTT5-4.8.2-6] */
struct fault on_puback(struct client_link *link, const struct frame *f)
{
	struct inflight *o = NULL;
	struct ack ack UNINITIALIZED;
	struct fault fault = read_and_find(link, f, 1, &ack, &o);

	return fault_is_none(fault) ? end_flow(link->session, o) : fault;
}

/* [MQTT3-4.3.3-1] [MQTT5-4.3.3-3] [MQTT5-4.4.0-2] */
struct fault on_pubrec(struct client_link *link, const struct frame *f)
{
	struct session *s = link->session;
	struct inflight *o = NULL;
	struct ack ack UNINITIALIZED;
	struct fault fault = read_and_find(link, f, 2, &ack, &o);

	if (!fault_is_none(fault))
		return fault;
	/* While the input limit is reached, only what ends a flow is answered. */
	if ((o == NULL || o->released) && input_limit_is_reached(link))
		return FAULT_NONE;
	/* mutant: negative_pubrec_is_answered */
	if (ack.reason >= REASON_UNSPECIFIED) /* no PUBREL, whatever it is about [MQTT5-4.3.3-4] */
		return end_flow(s, o);
	if (o == NULL) {
		inflight_send_pubrel(
		    s, ack.packet_id,
		    link->version == MQTT_5_0 ? REASON_PACKET_ID_NOT_FOUND : REASON_SUCCESS, false);
		return FAULT_NONE;
	}
	if (!o->released) {
		inflight_release(s, o);
		session_journal_inflight(s, o);
	}
	inflight_send_pubrel(s, o->packet_id, REASON_SUCCESS, o->position != 0);
	return FAULT_NONE;
}

/* [MQTT5-4.3.3-5] */
struct fault on_pubcomp(struct client_link *link, const struct frame *f)
{
	struct inflight *o = NULL;
	struct ack ack UNINITIALIZED;
	struct fault fault = read_and_find(link, f, 2, &ack, &o);

	if (fault_is_none(fault) && o != NULL && !o->released)
		fault = fault_of(REASON_PROTOCOL_ERROR, "PUBCOMP arrived before PUBREC");
	return fault_is_none(fault) ? end_flow(link->session, o) : fault;
}
