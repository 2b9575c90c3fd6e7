/* PUBLISH from a client: alias, limits, ACL, the one copy, and the acknowledgement that it is owed.
 * DESIGN.md section 5, points 3 to 9. */
#include "routing/publish.h"

#include <stdlib.h>

#include "base/scratch.h"
#include "base/utf8.h"
#include "durability/durability.h"
#include "proto/packet_publish.h"
#include "proto/topic.h"
#include "routing/flow.h"
#include "routing/publish_job.h"
#include "routing/publish_match.h"
#include "routing/publish_route.h"
#include "routing/router.h"
#include "routing/waiting_publisher.h"
#include "session/client_link.h"
#include "session/inflight/inbound.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "session/session_report.h"
#include "session/session_upcalls.h"
#include "session/topic_alias.h"
#include "session/trace.h"
#include "worker/memory_quota.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

#define TEXT_MAX 256

/* What CONNACK announces to a 5.0 client. */
static struct fault check_announced(const struct conf_limits *limits, const struct publish *pub)
{
	if (pub->qos > limits->max_qos) /* [MQTT5-3.2.2-11] */
		return fault_of(REASON_QOS_NOT_SUPPORTED, "the QoS is above limits.max_qos");
	if (pub->retain && !limits->retain_available) /* [MQTT5-3.2.2-14] */
		return fault_of(REASON_RETAIN_NOT_SUPPORTED,
		                "RETAIN is set, and limits.retain_available is false");
	return FAULT_NONE;
}

/* It is only the beginning of a packet (client/large_publish.h). [MQTT5-3.2.2-15] */
static struct fault refuse_size(struct client_link *link)
{
	count(&link->worker->counters.publish_too_large);
	if (link->version == MQTT_5_0) /* 3.1.1 announces none */
		session_report_ignored(link->session, IGNORED_MAXIMUM_PACKET_SIZE);
	return fault_of(REASON_QUOTA_EXCEEDED, "the packet is larger than limits.max_packet_size");
}

/* What the client cannot know. It says that the payload is text, and it is not: the standard (5.0,
 * 3.3.2.3.2) says MAY; subscribers that believe the indicator are spared. */
static struct fault check_settings(const struct conf_limits *limits, const struct publish *pub)
{
	if (pub->properties.user_count > limits->user_properties)
		return fault_of(REASON_QUOTA_EXCEEDED,
		                "there are more User Properties than limits.user_properties");
	if (topic_exceeds_levels(pub->topic, limits->topic_levels))
		return fault_of(REASON_TOPIC_NAME_INVALID,
		                "the topic name has more levels than limits.topic_levels");
	if (!properties_fit_payload(&pub->properties, pub->payload))
		return fault_of(REASON_PAYLOAD_FORMAT_INVALID,
		                "the Payload Format Indicator says UTF-8, and the payload is not");
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

/* A setting does not allow it. To close would not help: the client would send it again after each
 * reconnect. So it is dropped and logged, and acknowledged like one that is not permitted. */
static void refuse_setting(struct client_link *link, const struct publish *pub, struct fault fault)
{
	session_report_publish_refusal(link->session, pub->topic, fault);
	count_drop(&link->worker->counters, DROP_SETTING);
	if (link->version == MQTT_5_0)
		acknowledge(link, pub, fault.reason, slice_of_str(fault.cause));
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

static void refuse_memory(struct client_link *link, const struct publish *pub, const char *limit)
{
	session_report_memory(link->session, "a message", limit);
	count_drop(&link->worker->counters, DROP_MEMORY);
	refuse_full(link, pub, limit);
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

/* The ownership of a retained one is checked under its topic's lock. */
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
static void forget_publish(struct client_link *link, const struct publish *pub)
{
	if (pub->qos > 0)
		link->inbound_unacked--;
	uncount(&link->worker->counters.received_by_qos[pub->qos], 1);
	link->messages_in--;
	uncount(&link->worker->counters.payload_received, pub->payload.len);
}

/* So much may wait here whatever the limit: existing values can be replaced and deleted. */
#define WAITING_FREE ((size_t)8192)

/* Is there memory for what it makes wait here: its identifier, and itself while the disk is slow?
 * NULL: there is. */
static const char *waiting_exceeds(const struct client_link *link, const struct publish *pub)
{
	const struct session *s = link->session;
	/* mutant: unreleased_take_memory */
	size_t waits, bytes = pub->qos == 2 ? INBOUND_COST : 0;

	if (pub->qos > 0 && durability_is_on(link->worker))
		bytes += sizeof(struct msg) + pub->topic.len + pub->payload.len;
	if (bytes == 0)
		return NULL;
	waits = s->pending_bytes + HASH_COUNT(s->inbound) * INBOUND_COST;
	if (waits + bytes <= WAITING_FREE)
		return NULL;
	return quota_memory(link->worker, s->charge.payer, bytes);
}

/* Does it delete what is not there, by a name that is no name? A retained message from an earlier
 * version may have one; it can be deleted. */
static bool deletes_no_name(const struct client_link *link, const struct publish *pub)
{
	struct worker *w = link->worker;
	struct msg *msg;

	if (pub->payload.len > 0 || !pub->retain || utf8_is_name(pub->topic))
		return false;
	msg = retain_find(w->shared->retain, w->executor.index, pub->topic, w->executor.now_ms);
	if (msg == NULL)
		return true;
	msg_unref(&msg);
	return false;
}

static struct fault resolve_alias(struct client_link *link, struct publish *pub)
{
	size_t before = link->aliases.bytes;
	struct fault fault =
	    topic_alias_resolve(&link->aliases, pub, link_output_admits_alias, link);

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
		count_drop(&link->worker->counters, DROP_MEMORY);
	acknowledge(link, pub, REASON_QUOTA_EXCEEDED, slice_of_str(cause));
}

/* QoS 1 above it is read as acknowledgements leave (input_limit.h); QoS 2 never waits, because the
 * PUBREL that ends it comes after it. [MQTT5-3.3.4-7] */
static struct fault exceed_receive_maximum(struct client_link *link)
{
	/* mutant: receive_maximum_lenient */
	if (client_link_limits(link)->receive_maximum_enforcement == ENFORCEMENT_STRICT)
		return fault_of(REASON_RECEIVE_MAXIMUM_EXCEEDED,
		                "more messages are unacknowledged than limits.receive_maximum");
	count(&link->worker->counters.receive_maximum_exceeded);
	session_report_ignored(link->session, IGNORED_RECEIVE_MAXIMUM);
	return FAULT_NONE;
}

/* What is decided before the rules are asked. False: it goes no further, and *fault says whether
 * its connection does. [MQTT5-3.3.4-7] */
static bool accept_publish(struct client_link *link, const struct frame *f, struct publish *pub,
                           struct fault *fault)
{
	const struct conf_limits *limits = client_link_limits(link);
	struct fault alias = FAULT_NONE, refused;
	bool is_done;

	if (properties_have(&pub->properties, PROPERTY_TOPIC_ALIAS))
		alias = resolve_alias(link, pub);
	*fault = alias.reason == REASON_QUOTA_EXCEEDED ? FAULT_NONE : alias;
	if (!fault_is_none(*fault))
		return false;
	is_done = deletes_no_name(link, pub);
	/* mutant: deletion_sent_again */
	if (is_done && !pub->dup) {
		*fault = fault_of(REASON_MALFORMED, PACKET_PUBLISH_CONTROL);
		return false;
	}
	refused = check_announced(limits, pub);
	if (!fault_is_none(refused) && link->version == MQTT_5_0) {
		*fault = refused;
		return false;
	}
	count(&link->worker->counters.received_by_qos[pub->qos]);
	link->messages_in++;
	count_by(&link->worker->counters.payload_received, pub->payload.len);
	if (pub->qos == 2 && inbound_repeat(link, pub->packet_id))
		return false;
	if (pub->qos > 0 && link->version == MQTT_5_0 &&
	    link->inbound_unacked >= limits->receive_maximum && link->match == NULL &&
	    !fault_is_none(*fault = exceed_receive_maximum(link)))
		return false;
	/* mutant: unreleased_are_bounded_by_memory */
	if (pub->qos > 0) /* identifiers of earlier connections are bounded by memory */
		link->inbound_unacked++;
	if (!fault_is_none(alias)) {
		refuse_alias(link, pub);
		return false;
	}
	if (is_done) { /* on an earlier connection, whose client has not heard of it */
		acknowledge(link, pub, REASON_SUCCESS, SLICE_EMPTY);
		return false;
	}
	if (fault_is_none(refused) && /* mutant: large_publish_is_delivered */
	    f->size_bytes > limits->max_packet_size)
		refused = refuse_size(link);
	if (fault_is_none(refused))
		refused = check_settings(limits, pub);
	if (!fault_is_none(refused)) {
		/* mutant: setting_closes_publisher */
		refuse_setting(link, pub, refused);
		return false;
	}
	return true;
}

/* A request to the broker itself, which nobody else gets. */
static inline bool is_control(struct slice topic)
{
	return topic.data[0] == '$' && slice_starts_with(topic, SLICE(CONTROL_PREFIX));
}

struct fault on_publish(struct client_link *link, const struct frame *f)
{
	struct worker *w = link->worker;
	struct publish_job job = {.session = link->session, .action = ACL_PUBLISH, .link = link};
	struct publish pub UNINITIALIZED;
	enum publish_outcome outcome;
	struct fault fault;
	const char *exceeds;

	REQUIRE_OWNER(link);
	if (!fault_is_none(fault = packet_publish_decode(f, link->version, &pub)) ||
	    !accept_publish(link, f, &pub, &fault))
		return fault;
	job.verdict = check(link, &pub);
	if (!job.verdict.allowed) {
		refuse_publish(link, &pub, &job.verdict);
		return FAULT_NONE;
	}
	if (trace_is_on())
		trace_allowed(link->session, ACL_PUBLISH, pub.topic, &job.verdict);
	exceeds = waiting_exceeds(link, &pub);
	if (exceeds != NULL) {
		refuse_memory(link, &pub, exceeds);
		return FAULT_NONE;
	}
	if (/* mutant: control_is_routed */ is_control(pub.topic)) {
		fault = w->upcalls->on_control_request(link, &pub);
		if (!fault_is_none(fault))
			refuse_setting(link, &pub, fault);
		return FAULT_NONE;
	}
	job.msg = link->match == NULL ? message_of(link, &pub) : publish_match_msg(link);
	job.packet_id = pub.packet_id;
	if (pub.qos == 2)
		job.inbound = inbound_new(link->session, pub.packet_id);
	outcome = publish_route(w, &job);
	if (outcome != PUBLISH_ROUTED && pub.qos == 2)
		inbound_stored(link->session, pub.packet_id, false);
	if (outcome == PUBLISH_DENIED)
		refuse_publish(link, &pub, &job.verdict);
	else if (outcome == PUBLISH_FULL)
		refuse_full(link, &pub, job.full);
	else if (outcome == PUBLISH_NO_MEMORY)
		refuse_memory(link, &pub, job.full);
	else if (outcome == PUBLISH_LATER || outcome == PUBLISH_GOES_ON)
		forget_publish(link, &pub);
	link->defers = outcome == PUBLISH_LATER;
	msg_unref(&job.msg);
	flow_hold(&w->router->flows, link);
	waiting_publisher_hold_link(link);
	return FAULT_NONE;
}
