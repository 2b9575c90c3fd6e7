/* The will of a CONNECT. */
#include "client/connect/connect_will.h"

#include "client/connect/connect_refuse.h"
#include "proto/packet_connect.h"
#include "proto/topic.h"
#include "routing/publish.h"
#include "session/session.h"
#include "session/session_report.h"
#include "session/trace.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

#define TEXT_MAX 256

/* [MQTT3-3.1.2-16, -17] [MQTT5-3.1.2-14, -15] */
struct msg *connect_will_message(struct session *s, const struct connect *packet)
{
	const struct will *will = &packet->will;
	struct buf forwarded = {0};
	struct msg *msg;
	struct msg_parts parts = {.qos = will->qos,
	                          .retain = will->retain,
	                          .expires_ms = MSG_NEVER,
	                          .topic = will->topic,
	                          .payload = will->payload};

	if (packet->version == MQTT_5_0)
		properties_put_forwarded(&forwarded, will->properties.raw);
	/* Its lifetime begins when it is published; until then this is an interval. */
	if (properties_have(&will->properties, PROPERTY_MESSAGE_EXPIRY))
		parts.expires_ms = (uint64_t)will->properties.message_expiry_s * 1000;
	parts.forwarded = buf_slice(&forwarded);
	msg = msg_new(s->origin, &parts);
	buf_fini(&forwarded);
	return msg;
}

/* The log and the client get topic and rule: without its will a dead device would stay "online"
 * unnoticed. */
static void refuse_will(struct conn *c, const struct connect *packet,
                        const struct acl_verdict *verdict)
{
	struct buf text = {0};
	char rule[TEXT_MAX];

	acl_verdict_text(c->link.worker->snapshot->acl, verdict, rule, sizeof(rule));
	buf_printf(&text, "the will to %.*s is denied: %s",
	           (int)(packet->will.topic.len > TEXT_MAX ? TEXT_MAX : packet->will.topic.len),
	           (const char *)packet->will.topic.data, rule);
	buf_put_u8(&text, 0);
	count(&c->link.worker->counters.denied_by_action[DENIAL_WILL]);
	connect_refuse(c, packet, fault_of(REASON_NOT_AUTHORIZED, (const char *)text.data));
	buf_fini(&text);
}

/* A will that is refused refuses the CONNECT. */
bool connect_will_is_admitted(struct conn *c, const struct connect *packet,
                              const struct acl_subject *subject)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	struct acl_request request = {.action = ACL_WILL,
	                              .topic = packet->will.topic,
	                              .retain = packet->will.retain,
	                              .qos = packet->will.qos,
	                              .payload = packet->will.payload};
	struct acl_verdict verdict;

	REQUIRE_OWNER(&c->link);
	if (!packet->will.present)
		return true;
	if (packet->will.qos > limits->max_qos) { /* [MQTT5-3.2.2-12] */
		connect_refuse(
		    c, packet,
		    fault_of(REASON_QOS_NOT_SUPPORTED, "the will's QoS is above limits.max_qos"));
		return false;
	}
	if (packet->will.retain && !limits->retain_available) { /* [MQTT5-3.2.2-13] */
		connect_refuse(
		    c, packet,
		    fault_of(REASON_RETAIN_NOT_SUPPORTED,
		             "the will is retained, and limits.retain_available is false"));
		return false;
	}
	if (topic_exceeds_levels(packet->will.topic, limits->topic_levels)) {
		connect_refuse(
		    c, packet,
		    fault_of(REASON_TOPIC_NAME_INVALID,
		             "the will's topic has more levels than limits.topic_levels"));
		return false;
	}
	verdict = publish_access_check(c->link.worker, subject, c->identity->key, &request);
	if (verdict.allowed) {
		if (trace_is_on())
			trace_allowed_will(c->link.worker, packet, &verdict);
		return true;
	}
	refuse_will(c, packet, &verdict);
	return false;
}
