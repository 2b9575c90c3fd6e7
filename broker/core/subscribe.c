/* SUBSCRIBE and UNSUBSCRIBE: judged entry by entry, answered in the same order, replay behind the
 * answer. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/deliver.h"
#include "core/server.h"
#include "proto/topic.h"

#define TEXT_MAX 256

/* One that is replaced needs no room. */
static bool has_room(struct session *s, struct slice whole, const struct conf_limits *limits)
{
	bool room = s->subscriptions.count < limits->subscriptions &&
	            s->subscription_bytes + subscription_cost(whole) <= limits->subscription_bytes;

	return room || subscription_find(s, whole) != NULL;
}

static enum reason judge_memory(struct session *s, struct slice whole, char *text)
{
	const char *exceeds;

	if (subscription_find(s, whole) != NULL)
		return REASON_SUCCESS;
	exceeds = quota_memory(s->worker, s->charge.payer, subscription_memory(whole));
	if (exceeds == NULL)
		return REASON_SUCCESS;
	quota_tell_session(s, "a subscription", exceeds);
	(void)snprintf(text, TEXT_MAX, "%s", exceeds);
	return REASON_QUOTA_EXCEEDED;
}

/* One entry's judgement; `text` gets the rule for a Reason String. */
static enum reason judge(struct conn *c, struct slice whole, struct slice filter, char *text)
{
	const struct conf_limits *limits = worker_limits(c->worker, c);
	struct session *s = c->session;
	struct acl_request request = {.action = ACL_SUBSCRIBE, .topic = filter};
	struct acl_verdict verdict;

	if (topic_levels(filter) > limits->topic_levels)
		return REASON_TOPIC_FILTER_INVALID;
	verdict = acl_check(session_subject(s), &request);
	if (!verdict.allowed) {
		session_log_denial(s, DENIAL_SUBSCRIBE, whole, &verdict);
		acl_verdict_text(c->worker->policy->acl, &verdict, text, TEXT_MAX);
		return REASON_NOT_AUTHORIZED;
	}
	return has_room(s, whole, limits) ? judge_memory(s, whole, text) : REASON_QUOTA_EXCEEDED;
}

/* [MQTT3-3.3.1-6] [MQTT5-3.3.1-9] [MQTT5-3.8.4-4] */
static void start_replay(struct session *s, struct subscription *sub, bool is_new)
{
	uint8_t handling = sub->options.retain_handling;

	if (subscription_is_shared(sub))
		return;                                    /* section 4.8.2 */
	if (handling == 2 || (handling == 1 && !is_new)) { /* [MQTT5-3.3.1-10, -11] */
		replay_go_on(s, sub);
		return;
	}
	replay_start(s, sub,
	             is_new ? sub->since : atomic_load(retain_clock(s->worker->server->retain)));
}

/* [MQTT5-3.2.2-10] [MQTT5-3.9.3-2] */
static uint8_t subscribe_one(struct conn *c, struct slice whole,
                             struct subscription_options options, uint32_t id, char *text)
{
	struct slice group, filter = whole;
	enum share_result share = topic_filter_share(whole, &group, &filter);
	uint8_t max_qos = worker_limits(c->worker, c)->max_qos;
	struct subscription *sub;
	enum reason why;
	bool is_new;

	if (share == SHARE_INVALID) /* 3.1.1 knows no $share: it conforms and is not accepted */
		return REASON_TOPIC_FILTER_INVALID;
	if (share == SHARE_NONE)
		filter = whole;
	why = judge(c, whole, filter, text);
	if (why != REASON_SUCCESS)
		return (uint8_t)why;
	if (options.qos > max_qos)
		options.qos = max_qos;
	if (c->bridge) {
		options.no_local = share == SHARE_NONE;
		options.retain_as_published = true;
	}
	sub = subscription_put(c->session, whole, &options, id, &is_new);
	start_replay(c->session, sub, is_new);
	return options.qos; /* granted [MQTT5-3.8.4-7] [MQTT3-3.8.4-5] */
}

/* One that the client does not take cannot be sent [MQTT5-3.1.2-24], and without it there is no
 * going on. */
static enum reason answer(struct conn *c, enum packet_type type, struct buf *bytes)
{
	struct receipt *receipt;

	if (bytes->len > c->max_packet_bytes) {
		buf_fini(bytes);
		return REASON_PACKET_TOO_LARGE;
	}
	receipt = receipt_packet(c, type, bytes);
	session_commit(c->session, &receipt);
	return REASON_OK;
}

/* [MQTT3-3.8.4-4] [MQTT5-3.8.4-5, -6] [MQTT5-3.9.2-1] */
enum reason on_subscribe(struct conn *c, const struct frame *f)
{
	struct subscribe packet;
	enum reason why = subscribe_decode(f, c->version, &packet);
	struct subscription_options options;
	struct slice filter;
	struct buf reasons = {0}, bytes = {0};
	char text[TEXT_MAX] = "";
	uint32_t id;

	if (why != REASON_OK)
		return why;
	if ((why = conn_judge_properties(c, &packet.properties)) != REASON_OK)
		return why;
	id = properties_have(&packet.properties, PROPERTY_SUBSCRIPTION_ID)
	         ? packet.properties.subscription_id
	         : 0;
	c->holding++; /* nothing of it before its SUBACK [MQTT-3.8.4-1] */
	while (subscribe_next(&packet, &filter, &options))
		buf_put_u8(&reasons, subscribe_one(c, filter, options, id, text));
	suback_encode(&bytes, c->version, packet.packet_id, reasons.data, reasons.len,
	              conn_reason_string(c, slice_of_str(text), REASON_STRING_REST + reasons.len));
	buf_fini(&reasons);
	why = answer(c, PACKET_SUBACK, &bytes);
	c->holding--;
	if (why == REASON_OK && c->holding == 0) {
		session_pump(c->session);
		replay_wake(c->session);
	}
	return why;
}

/* [MQTT-3.10.4-1, -3, -6] [MQTT3-3.10.4-4, -5] [MQTT5-3.10.4-4, -5] [MQTT5-3.11.3-2] */
enum reason on_unsubscribe(struct conn *c, const struct frame *f)
{
	struct unsubscribe packet;
	enum reason why = unsubscribe_decode(f, c->version, &packet);
	struct buf reasons = {0}, bytes = {0};
	struct slice filter;

	if (why != REASON_OK || (why = conn_judge_properties(c, &packet.properties)) != REASON_OK)
		return why;
	while (unsubscribe_next(&packet, &filter)) {
		struct subscription *sub = subscription_find(c->session, filter);

		buf_put_u8(&reasons, sub == NULL ? REASON_NO_SUBSCRIPTION_EXISTED : REASON_SUCCESS);
		if (sub != NULL)
			subscription_remove(sub);
	}
	unsuback_encode(&bytes, c->version, packet.packet_id, reasons.data, reasons.len,
	                SLICE_EMPTY);
	buf_fini(&reasons);
	return answer(c, PACKET_UNSUBACK, &bytes);
}
