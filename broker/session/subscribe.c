/* SUBSCRIBE and UNSUBSCRIBE: checked entry by entry, answered in the same order, replay after the
 * answer.  Entries are done in slices: subscribe_request.c. */
#include "session/subscribe.h"

#include <stdio.h>

#include "base/utf8.h"
#include "proto/packet_suback.h"
#include "proto/packet_subscribe.h"
#include "proto/topic.h"
#include "session/client_link.h"
#include "session/partial_grant.h"
#include "session/replay.h"
#include "session/session.h"
#include "session/session_report.h"
#include "session/subscribe_request.h"
#include "session/subscription.h"
#include "session/trace.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

/* Work of a turn (worker.h) for an entry, without what it begins: a replay, a record. */
#define FILTER_STEPS 8

/* `text` gets the cause for a Reason String. */
static enum reason refuse(enum reason reason, const char *cause, char *text)
{
	(void)snprintf(text, REQUEST_TEXT_MAX, "%s", cause);
	return reason;
}

/* The setting that has no space for one more subscription; NULL: there is space. */
static const char *exceeded_limit(const struct session *s, struct slice whole,
                                  const struct conf_limits *limits)
{
	if (s->subscriptions.count >= limits->subscriptions)
		return "limits.subscriptions is reached";
	if (s->subscription_bytes + subscription_cost(whole) > limits->subscription_bytes)
		return "limits.subscription_bytes is reached";
	return NULL;
}

/* One entry's judgement; `text` gets the rule or setting for a Reason String. */
static enum reason check(struct client_link *link, struct slice whole, struct slice filter,
                         enum subscription_permit *permit, char *text)
{
	const struct conf_limits *limits = client_link_limits(link);
	struct session *s = link->session;
	struct acl_verdict verdict;
	const char *exceeds;

	if (topic_exceeds_levels(filter, limits->topic_levels)) {
		exceeds = "a topic filter has more levels than limits.topic_levels";
		session_report_subscribe_refusal(s, whole,
		                                 fault_of(REASON_TOPIC_FILTER_INVALID, exceeds));
		return refuse(REASON_TOPIC_FILTER_INVALID, exceeds, text);
	}
	verdict = partial_grant_check(s, filter, permit);
	if (!verdict.allowed) {
		session_report_denial(s, DENIAL_SUBSCRIBE, whole, &verdict);
		acl_verdict_text(link->worker->snapshot->acl, &verdict, text, REQUEST_TEXT_MAX);
		return REASON_NOT_AUTHORIZED;
	}
	if (trace_is_on())
		trace_allowed(s, ACL_SUBSCRIBE, whole, &verdict);
	if (subscription_find(s, whole) != NULL) /* it is replaced, and needs no space */
		return REASON_SUCCESS;
	exceeds = exceeded_limit(s, whole, limits);
	if (exceeds != NULL) {
		session_report_subscribe_refusal(s, whole,
		                                 fault_of(REASON_QUOTA_EXCEEDED, exceeds));
		return refuse(REASON_QUOTA_EXCEEDED, exceeds, text);
	}
	/* mutant: memory_subscription */
	exceeds = quota_memory(s->worker, s->charge.payer, subscription_memory(whole));
	if (exceeds == NULL)
		return REASON_SUCCESS;
	session_report_memory(s, "a subscription", exceeds);
	return refuse(REASON_QUOTA_EXCEEDED, exceeds, text);
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
	/* mutant: replay_and_live */
	replay_start(s, sub,
	             is_new ? sub->since : atomic_load(retain_clock(s->worker->shared->retain)));
}

/* [MQTT5-3.2.2-10] [MQTT5-3.9.3-2] */
static uint8_t subscribe_one(struct client_link *link, struct request *r, struct slice whole,
                             struct subscription_options options)
{
	struct slice group, filter = whole;
	enum share_result share = topic_filter_share(whole, &group, &filter);
	uint8_t max_qos = client_link_limits(link)->max_qos;
	enum subscription_permit permit;
	struct subscription *sub;
	enum reason why;
	bool is_new;

	if (!fault_is_none(r->refusal)) {
		session_report_subscribe_refusal(link->session, whole, r->refusal);
		return (uint8_t)refuse(r->refusal.reason, r->refusal.cause, r->text);
	}
	if (share == SHARE_INVALID) /* 3.1.1 knows no $share: it conforms and is not accepted */
		return (uint8_t)refuse(REASON_TOPIC_FILTER_INVALID,
		                       "$share needs the name of a group and a filter", r->text);
	if (share == SHARE_NONE)
		filter = whole;
	why = check(link, whole, filter, &permit, r->text);
	if (why != REASON_SUCCESS)
		return (uint8_t)why;
	if (options.qos > max_qos)
		options.qos = max_qos;
	if (link->bridge) {
		options.no_local = share == SHARE_NONE;
		options.retain_as_published = true;
	}
	sub = subscription_put(link->session, whole, &options, r->subscription_id, &is_new);
	sub->permit = (uint8_t)permit;
	link->session->grants_in_part |= permit == PERMIT_PART;
	start_replay(link->session, sub, is_new);
	subscribe_request_add_changed(r, sub);
	return options.qos; /* granted [MQTT5-3.8.4-7] [MQTT3-3.8.4-5] */
}

static uint8_t subscribe_to_next(struct client_link *link, struct request *r, struct slice *entries)
{
	struct subscription_options options;
	struct slice filter;
	bool next = packet_subscribe_next(entries, &filter, &options);

	REQUIRE(next); /* they were checked */
	link->worker->work += FILTER_STEPS;
	return subscribe_one(link, r, filter, options);
}

static void encode_suback(struct client_link *link, struct request *r, struct buf *out)
{
	packet_suback_encode(out, link->version, r->packet_id, r->reasons.data, r->reasons.len,
	                     client_link_reason_string(link, slice_of_str(r->text),
	                                               REASON_STRING_REST + r->reasons.len));
}

/* Of entries that are well formed: control characters and noncharacters are Malformed (section
 * 1.5.4). A subscription in the store may have such a filter, and is no reason to close anybody. */
static struct fault check_names(struct session *s, struct slice entries)
{
	struct subscription_options options;
	struct slice filter;

	while (packet_subscribe_next(&entries, &filter, &options)) {
		/* mutant: control_characters_in_filters */
		if (!utf8_is_name(filter) && subscription_find(s, filter) == NULL)
			return fault_of(REASON_MALFORMED, "a topic filter contains a control "
			                                  "character or a noncharacter of Unicode");
	}
	return FAULT_NONE;
}

static struct fault check_subscribe(struct client_link *link, struct slice *entries, size_t *steps)
{
	struct slice all = *entries;
	struct fault fault = packet_subscribe_check(entries, link->version, steps);

	if (!fault_is_none(fault))
		return fault;
	return check_names(link->session, slice_of(all.data, all.len - entries->len));
}

/* [MQTT-3.8.4-1] [MQTT3-3.8.4-4] [MQTT5-3.8.4-5, -6] [MQTT5-3.9.2-1] */
struct fault on_subscribe(struct client_link *link, const struct frame *f)
{
	static const struct request_kind kind = {
	    .answer = PACKET_SUBACK,
	    .holds_deliveries = true,
	    .check = check_subscribe,
	    .next = subscribe_to_next,
	    .encode = encode_suback,
	};

	return subscribe_request_run(link, f, &kind);
}

static uint8_t unsubscribe_from_next(struct client_link *link, struct request *r,
                                     struct slice *entries)
{
	struct subscription *sub;
	struct slice filter;
	bool next = packet_unsubscribe_next(entries, &filter);

	(void)r;
	REQUIRE(next); /* they were checked */
	link->worker->work += FILTER_STEPS;
	sub = subscription_find(link->session, filter);
	if (sub == NULL)
		return REASON_NO_SUBSCRIPTION_EXISTED;
	subscription_remove(sub);
	return REASON_SUCCESS;
}

static void encode_unsuback(struct client_link *link, struct request *r, struct buf *out)
{
	packet_unsuback_encode(out, link->version, r->packet_id, r->reasons.data, r->reasons.len,
	                       SLICE_EMPTY);
}

static struct fault check_unsubscribe(struct client_link *link, struct slice *entries,
                                      size_t *steps)
{
	return packet_unsubscribe_check(entries, link->version, steps);
}

/* [MQTT-3.10.4-1, -3, -6] [MQTT3-3.10.4-4, -5] [MQTT5-3.10.4-4, -5] [MQTT5-3.11.3-2] */
struct fault on_unsubscribe(struct client_link *link, const struct frame *f)
{
	static const struct request_kind kind = {
	    .answer = PACKET_UNSUBACK,
	    .check = check_unsubscribe,
	    .next = unsubscribe_from_next,
	    .encode = encode_unsuback,
	};

	return subscribe_request_run(link, f, &kind);
}
