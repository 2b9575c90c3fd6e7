/* PUBLISH from a client: alias, limits, ACL, the one copy, and the acknowledgement that it is owed.
 * DESIGN.md section 5, points 3 to 9. */
#include "routing/publish.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/scratch.h"
#include "durability/record_batch.h"
#include "proto/packet_publish.h"
#include "proto/topic.h"
#include "routing/flow.h"
#include "routing/local_delivery.h"
#include "routing/router.h"
#include "session/client_link.h"
#include "session/input_limit.h"
#include "session/link_output.h"
#include "session/session_report.h"
#include "session/topic_alias.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

#define TEXT_MAX 256

static struct fault check_limits(const struct conf_limits *limits, const struct publish *pub)
{
	if (pub->qos > limits->max_qos) /* [MQTT5-3.2.2-11] */
		return fault_of(REASON_QOS_NOT_SUPPORTED, "the QoS is above limits.max_qos");
	if (pub->retain && !limits->retain_available) /* [MQTT5-3.2.2-14] */
		return fault_of(REASON_RETAIN_NOT_SUPPORTED,
		                "RETAIN is set, and limits.retain_available is false");
	if (pub->properties.user_count > limits->user_properties)
		return fault_of(REASON_QUOTA_EXCEEDED,
		                "there are more User Properties than limits.user_properties");
	if (topic_levels(pub->topic) > limits->topic_levels)
		return fault_of(REASON_TOPIC_NAME_INVALID,
		                "the topic name has more levels than limits.topic_levels");
	return FAULT_NONE;
}

/* [MQTT-3.3.4-1] [MQTT3-2.3.1-6] [MQTT3-4.3.2-2] [MQTT5-2.2.1-5] [MQTT5-3.4.2-2] [MQTT5-3.5.2-2] */
static void acknowledge(struct client_link *link, const struct publish *pub, enum reason reason,
                        struct slice text)
{
	if (pub->qos == 0)
		return;
	text = client_link_reason_string(link, text, REASON_STRING_REST);
	pending_ack_send(link, pub->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, pub->packet_id,
	                 reason, text);
}

/* Not permitted: 5.0 hears why, 3.1.1 gets its acknowledgement all the same; the connection stays.
 * [MQTT3-3.3.5-2] */
static void refuse_publish(struct client_link *link, const struct publish *pub,
                           const struct acl_verdict *verdict)
{
	char text[TEXT_MAX];
	size_t len = acl_verdict_text(link->worker->snapshot->acl, verdict, text, sizeof(text));

	session_report_denial(link->session, DENIAL_PUBLISH, pub->topic, verdict);
	if (link->version == MQTT_5_0)
		acknowledge(link, pub, REASON_NOT_AUTHORIZED, slice_of(text, len));
	else
		acknowledge(link, pub, REASON_SUCCESS, SLICE_EMPTY);
}

/* No room for it: nobody gets it, so that all see the same. */
static void refuse_full(struct client_link *link, const struct publish *pub, const char *limit)
{
	if (link->version == MQTT_5_0)
		acknowledge(link, pub, REASON_QUOTA_EXCEEDED, slice_of_str(limit));
	else
		acknowledge(link, pub, REASON_SUCCESS, SLICE_EMPTY);
}

struct acl_request publish_access_request(enum acl_action action, const struct msg *msg)
{
	return (struct acl_request){.action = action,
	                            .topic = msg_topic(msg),
	                            .retain = msg->retain,
	                            .qos = msg->qos,
	                            .payload = msg_payload(msg)};
}

static struct msg *message_of(struct client_link *link, const struct publish *pub)
{
	const struct properties *p = &pub->properties;
	struct msg_parts parts = {.qos = pub->qos,
	                          .retain = pub->retain,
	                          .expires_ms = MSG_NEVER,
	                          .topic = pub->topic,
	                          .payload = pub->payload};
	struct buf forwarded = {0};
	struct msg *msg;

	if (link->version == MQTT_5_0 && p->present != 0) {
		properties_put_forwarded(&forwarded, p->raw);
		if (properties_have(p, PROPERTY_MESSAGE_EXPIRY))
			parts.expires_ms = link->worker->output->received_ms +
			                   (uint64_t)p->message_expiry_s * 1000;
	}
	parts.forwarded = buf_slice(&forwarded);
	msg = msg_new(link->session->origin, &parts);
	buf_fini(&forwarded);
	return msg;
}

/* --- QoS 2 identifiers: D2 --- */

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

static struct inbound *inbound_new(struct session *s, uint16_t packet_id)
{
	struct inbound *in = xnew(in);

	in->packet_id = packet_id;
	in->pending = true;
	HASH_ADD(hh, s->inbound, packet_id, sizeof(in->packet_id), in);
	charge_add(s->worker, &s->charge, INBOUND_COST);
	return in;
}

/* [MQTT5-4.3.3-9] */
void inbound_stored(struct session *s, uint16_t packet_id, bool kept)
{
	struct inbound *in = inbound_find(s, packet_id);

	if (in == NULL)
		return;
	in->pending = false;
	if (in->again != NULL && kept)
		pending_ack_done(&in->again, REASON_SUCCESS, SLICE_EMPTY);
	else if (in->again != NULL)
		pending_ack_failed(&in->again);
	if (!kept)
		inbound_free(s, in);
}

void inbound_refused(struct session *s, uint16_t packet_id, bool kept)
{
	struct inbound *in = inbound_find(s, packet_id);

	if (in != NULL && in->again != NULL && kept)
		pending_ack_done(&in->again, REASON_QUOTA_EXCEEDED, SLICE_EMPTY);
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
static bool answer_again(struct client_link *link, const struct publish *pub)
{
	struct inbound *in = pub->qos == 2 ? inbound_find(link->session, pub->packet_id) : NULL;

	if (in == NULL)
		return false;
	if (!in->pending)
		acknowledge(link, pub, REASON_SUCCESS, SLICE_EMPTY);
	else if (in->again == NULL || in->again->link == NULL) {
		if (in->again != NULL)
			pending_ack_failed(&in->again);
		in->again = pending_ack_ack(link, PACKET_PUBREC, pub->packet_id);
	}
	return true;
}

/* PUBCOMP leaves when the identifier is free on disk too: used anew, it must not be taken for the
 * old one. [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] */
static void complete_inbound(struct client_link *link, struct inbound *in)
{
	struct session *s = link->session;
	bool waits = in->durability == DURABILITY_ACK && s->durable && journal_is_on(link->worker);
	uint16_t packet_id = in->packet_id;
	struct pending_ack *pending_ack;

	if (in->durability != DURABILITY_NONE)
		record_inbound_done(s, packet_id, waits);
	inbound_free(s, in);
	if (!waits) {
		pending_ack_send(link, PACKET_PUBCOMP, packet_id, REASON_SUCCESS, SLICE_EMPTY);
		return;
	}
	pending_ack = pending_ack_ack(link, PACKET_PUBCOMP, packet_id);
	record_batch_commit(link->worker, &pending_ack);
}

/* [MQTT5-3.7.2-2, -3] [MQTT5-4.3.3-11, -12, -13] */
struct fault on_pubrel(struct client_link *link, const struct frame *f)
{
	struct ack ack;
	struct fault fault = client_link_read_ack(link, f, &ack);
	struct inbound *in;

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

/* --- the way in --- */

struct acl_verdict publish_access_check(struct worker *w, const struct acl_subject *subject,
                                        struct slice user_key, const struct acl_request *request)
{
	struct acl_verdict verdict = acl_check(subject, request);
	struct acl_request foreign;
	struct buf owner = {0};

	if (!verdict.by_own)
		return verdict;
	foreign = *request;
	retain_owner(w->shared->retain, w->executor.index, request->topic, w->executor.now_ms,
	             &owner);
	if (owner.len > 0 && !slice_equal(buf_slice(&owner), user_key)) {
		foreign.owner = ACL_OWNER_OTHER;
		verdict = acl_check(subject, &foreign);
	}
	buf_fini(&owner);
	return verdict;
}

/* A retained one is judged about ownership under its topic's lock. */
static struct acl_verdict check(struct client_link *link, const struct publish *pub)
{
	struct session *s = link->session;
	struct acl_request request = {.action = ACL_PUBLISH,
	                              .topic = pub->topic,
	                              .retain = pub->retain,
	                              .qos = pub->qos,
	                              .payload = pub->payload};

	if (pub->retain)
		return acl_check(session_subject(s), &request);
	return publish_access_check(link->worker, session_subject(s), s->origin->user_key,
	                            &request);
}

/* As if it had not been read. */
static void put_by(struct client_link *link, const struct publish *pub)
{
	if (pub->qos > 0)
		link->inbound_unacked--;
	uncount(&link->worker->counters.messages_received, 1);
	uncount(&link->worker->counters.payload_received, pub->payload.len);
	link->defers = true;
}

static void route_accepted(struct client_link *link, const struct publish *pub,
                           const struct acl_verdict *verdict)
{
	struct publish_job job = {
	    .session = link->session, .action = ACL_PUBLISH, .verdict = *verdict};
	struct worker *w = link->worker;
	enum publish_outcome outcome;

	job.msg = message_of(link, pub);
	if (pub->qos == 2)
		job.inbound = inbound_new(link->session, pub->packet_id);
	job.link = link;
	job.packet_id = pub->packet_id;
	outcome = publish_route(w, &job);
	if (outcome != PUBLISH_ROUTED && pub->qos == 2)
		inbound_stored(link->session, pub->packet_id, false);
	if (outcome == PUBLISH_DENIED)
		refuse_publish(link, pub, &job.verdict);
	else if (outcome == PUBLISH_FULL)
		refuse_full(link, pub, job.full);
	else if (outcome == PUBLISH_LATER)
		put_by(link, pub);
	msg_unref(&job.msg);
	flow_hold(&w->router->flows, link);
}

/* So much may wait here whatever the limit: what is there can be replaced and deleted. */
#define WAITING_FREE ((size_t)8192)

/* Is there memory for what it makes wait here: its identifier, and itself while the disk is slow?
 * NULL: there is. */
static const char *waiting_exceeds(const struct client_link *link, const struct publish *pub)
{
	const struct session *s = link->session;
	/* mutant: unreleased_take_memory */
	size_t waits, bytes = pub->qos == 2 ? INBOUND_COST : 0;

	if (pub->qos > 0 && journal_is_on(link->worker))
		bytes += sizeof(struct msg) + pub->topic.len + pub->payload.len;
	if (bytes == 0)
		return NULL;
	waits = s->pending_bytes + HASH_COUNT(s->inbound) * INBOUND_COST;
	if (waits + bytes <= WAITING_FREE)
		return NULL;
	return quota_memory(link->worker, s->charge.payer, bytes);
}

static void route_or_refuse(struct client_link *link, const struct publish *pub,
                            const struct acl_verdict *verdict)
{
	const char *exceeds = waiting_exceeds(link, pub);

	if (exceeds == NULL) {
		route_accepted(link, pub, verdict);
		return;
	}
	session_report_memory(link->session, "a message", exceeds);
	count(&link->worker->counters.messages_dropped);
	refuse_full(link, pub, exceeds);
}

/* It says that it is text, and is not. The standard (5.0, 3.3.2.3.2) says MAY; subscribers that
 * believe the indicator are spared. */
static struct fault refuse_payload(struct client_link *link, const struct publish *pub)
{
	const char *cause = "the Payload Format Indicator says UTF-8, and the payload is not";

	if (pub->qos == 0)
		return fault_of(REASON_PAYLOAD_FORMAT_INVALID, cause);
	acknowledge(link, pub, REASON_PAYLOAD_FORMAT_INVALID, slice_of_str(cause));
	return FAULT_NONE;
}

static struct fault resolve_alias(struct client_link *link, struct publish *pub)
{
	size_t before = link->aliases.bytes;
	struct fault fault = alias_resolve(&link->aliases, pub, link_output_admits_alias, link);

	if (link->aliases.bytes != before)
		link_output_count(link);
	return fault;
}

/* Nobody knows any more to what topic it was. */
static void refuse_alias(struct client_link *link, const struct publish *pub)
{
	const char *cause = "there was no memory for its topic alias (limits.memory_per_user, "
			    "limits.memory)";

	session_report_memory(link->session, "a message to a topic alias", cause);
	if (pub->qos == 0)
		count(&link->worker->counters.messages_dropped);
	acknowledge(link, pub, REASON_QUOTA_EXCEEDED, slice_of_str(cause));
}

/* [MQTT5-3.3.4-7] */
struct fault on_publish(struct client_link *link, const struct frame *f)
{
	const struct conf_limits *limits = client_link_limits(link);
	struct publish pub UNINITIALIZED;
	struct acl_verdict verdict;
	struct fault fault, alias;

	if (!fault_is_none(fault = packet_publish_decode(f, link->version, &pub)))
		return fault;
	alias = properties_have(&pub.properties, PROPERTY_TOPIC_ALIAS) ? resolve_alias(link, &pub)
	                                                               : FAULT_NONE;
	if (!fault_is_none(alias) && alias.reason != REASON_QUOTA_EXCEEDED)
		return alias;
	if (!fault_is_none(fault = check_limits(limits, &pub)))
		return fault;
	count(&link->worker->counters.messages_received);
	count_by(&link->worker->counters.payload_received, pub.payload.len);
	if (answer_again(link, &pub))
		return FAULT_NONE;
	if (pub.qos > 0 && link->version == MQTT_5_0 &&
	    link->inbound_unacked >= limits->receive_maximum)
		return fault_of(REASON_RECEIVE_MAXIMUM_EXCEEDED, /* [MQTT5-3.3.4-8] */
		                "more messages are unacknowledged than limits.receive_maximum");
	/* mutant: unreleased_are_bounded_by_memory */
	if (pub.qos > 0) /* identifiers of earlier connections are bounded by memory */
		link->inbound_unacked++;
	if (!fault_is_none(alias)) {
		refuse_alias(link, &pub);
		return FAULT_NONE;
	}
	if (!properties_fit_payload(&pub.properties, pub.payload))
		return refuse_payload(link, &pub);
	verdict = check(link, &pub);
	if (verdict.allowed)
		route_or_refuse(link, &pub, &verdict);
	else
		refuse_publish(link, &pub, &verdict);
	return FAULT_NONE;
}
