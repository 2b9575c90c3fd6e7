/* Log lines of a session, each kind within its limit. */
#include "session/session_report.h"

#include "base/alloc.h"
#include "net/stream.h"
#include "session/client_link.h"
#include "session/denials.h"
#include "session/disk_queue.h"
#include "session/losses.h"
#include "session/trace.h"
#include "worker/memory_quota.h"

#define WINDOW_MS 10000

static struct log_limits *log_limits_of(struct session *s)
{
	if (s->log_limits == NULL) {
		s->log_limits = xnew(s->log_limits);
		charge_add(s->worker, &s->charge, sizeof(*s->log_limits));
	}
	return s->log_limits;
}

static struct log_limit *limit_of(struct session *s, uint32_t rule)
{
	struct log_limits *log_limits = log_limits_of(s);
	struct denial *oldest = &log_limits->denials[0];

	for (size_t i = 0; i < SESSION_DENIALS; i++) {
		struct denial *d = &log_limits->denials[i];

		if (d->rule == rule && d->limit.window_start_ms != 0)
			return &d->limit;
		if (d->limit.window_start_ms < oldest->limit.window_start_ms)
			oldest = d;
	}
	*oldest = (struct denial){.rule = rule};
	return &oldest->limit;
}

static const enum event denial_events[] = {
    [DENIAL_PUBLISH] = EVENT_PUBLISH_DENIED,     [DENIAL_SUBSCRIBE] = EVENT_SUBSCRIBE_DENIED,
    [DENIAL_WILL] = EVENT_WILL_DENIED,           [DENIAL_RECEIVE] = EVENT_DELIVERY_DENIED,
    [DENIAL_FILTERED] = EVENT_DELIVERY_FILTERED,
};

void session_report_denial(struct session *s, enum denial_kind kind, struct slice topic,
                           const struct acl_verdict *verdict)
{
	static const enum acl_action actions[] = {
	    [DENIAL_PUBLISH] = ACL_PUBLISH,  [DENIAL_SUBSCRIBE] = ACL_SUBSCRIBE,
	    [DENIAL_WILL] = ACL_WILL,        [DENIAL_RECEIVE] = ACL_RECEIVE,
	    [DENIAL_FILTERED] = ACL_RECEIVE,
	};
	const struct acl *acl = s->worker->snapshot->acl;
	uint32_t rule = acl_verdict_id(verdict) * 8 + (uint32_t)kind;
	uint32_t suppressed;
	char text[256];
	size_t len;

	REQUIRE_OWNER(s);
	REQUIRE(!verdict->allowed);
	count(&s->worker->counters.denied_by_action[kind]);
	/* mutant: denials_are_remembered */
	if (kind != DENIAL_FILTERED) /* what it never could read, with each message */
		denials_add(s, actions[kind], topic, verdict);
	if (!log_limit_pass(denial_events[kind], limit_of(s, rule), s->worker->executor.now_ms + 1,
	                    WINDOW_MS, 1, &suppressed))
		return;
	len = acl_verdict_text(acl, verdict, text, sizeof(text));
#define WHO  .client_id = session_client_id(s), .user = session_user(s)
#define RULE .rule = slice_of(text, len), .suppressed = suppressed
	switch (kind) {
	case DENIAL_PUBLISH:
		LOG(PUBLISH_DENIED, WHO, .topic = topic, RULE);
		break;
	case DENIAL_SUBSCRIBE:
		LOG(SUBSCRIBE_DENIED, WHO, .filter = topic, RULE);
		break;
	case DENIAL_WILL:
		LOG(WILL_DENIED, WHO, .topic = topic, RULE);
		break;
	case DENIAL_RECEIVE:
		LOG(DELIVERY_DENIED, WHO, .topic = topic, RULE);
		break;
	case DENIAL_FILTERED:
		LOG(DELIVERY_FILTERED, WHO, .topic = topic, RULE);
		break;
	}
#undef WHO
#undef RULE
}

/* Kinds of enum denial_kind are below these. */
enum refusal_kind { REFUSAL_SUBSCRIBE = DENIAL_RECEIVE + 1, REFUSAL_PUBLISH };

static bool refusal_pass(struct session *s, enum refusal_kind kind, enum reason reason,
                         uint32_t *suppressed)
{
	uint32_t rule = (uint32_t)reason * 8 + (uint32_t)kind;

	return log_limit_pass(
	    kind == REFUSAL_SUBSCRIBE ? EVENT_SUBSCRIBE_REFUSED : EVENT_PUBLISH_REFUSED,
	    limit_of(s, rule), s->worker->executor.now_ms + 1, WINDOW_MS, 1, suppressed);
}

void session_report_subscribe_refusal(struct session *s, struct slice filter, struct fault fault)
{
	uint32_t suppressed;

	if (refusal_pass(s, REFUSAL_SUBSCRIBE, fault.reason, &suppressed))
		LOG(SUBSCRIBE_REFUSED, .client_id = session_client_id(s), .user = session_user(s),
		    .filter = filter, .cause = fault.cause, .suppressed = suppressed);
}

void session_report_publish_refusal(struct session *s, struct slice topic, struct fault fault)
{
	uint32_t suppressed;

	if (refusal_pass(s, REFUSAL_PUBLISH, fault.reason, &suppressed))
		LOG(PUBLISH_REFUSED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = topic, .cause = fault.cause, .suppressed = suppressed);
}

void session_report_drop(struct session *s, enum drop_reason why, const char *cause)
{
	uint32_t suppressed;

	REQUIRE_OWNER(s);
	s->dropped++;
	count_drop(&s->worker->counters, why);
	/* mutant: losses_are_remembered */
	losses_add(s, cause);
	if (log_limit_pass(EVENT_MESSAGE_DROPPED, &log_limits_of(s)->dropped,
	                   s->worker->executor.now_ms + 1, 10000, 1, &suppressed))
		LOG(MESSAGE_DROPPED, .client_id = session_client_id(s), .user = session_user(s),
		    .cause = cause, .dropped = s->dropped);
}

void session_report_expired_message(struct session *s, const struct msg *msg)
{
	struct session_table *t = s->worker->sessions;
	uint32_t suppressed;

	REQUIRE_OWNER(s);
	count(&s->worker->counters.messages_expired);
	losses_add(s, "its Message Expiry Interval has passed");
	if (trace_is_on())
		trace_delivery(s, msg, "dropped: its Message Expiry Interval has passed");
	if (log_limit_pass(EVENT_MESSAGE_EXPIRED, &t->message_limit, s->worker->executor.now_ms + 1,
	                   WINDOW_MS, 1, &suppressed))
		LOG(MESSAGE_EXPIRED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(msg), .suppressed = suppressed);
}

/* Of a worker, in a window. */
#define ENDS_LOGGED 20

static size_t queued_of(const struct session *s)
{
	return s->waiting.count + s->sent.count + disk_queue_count(s);
}

void session_report_expired(struct session *s)
{
	struct worker *w = s->worker;
	uint64_t away_s = (w->executor.now_ms - s->away_since_ms) / 1000;
	bool in_time = s->expiry_s == EXPIRY_NEVER || away_s < s->expiry_s;
	const char *cause = s->removed && in_time ? "its user was removed a day ago"
	                                          : "its client was away for longer than its "
	                                            "Session Expiry Interval";
	uint32_t suppressed;

	REQUIRE_OWNER(s);
	count(&w->counters.sessions_expired);
	losses_add_queue(s, queued_of(s), cause);
	if (log_limit_pass(EVENT_SESSION_EXPIRED, &w->sessions->expired_limit,
	                   w->executor.now_ms + 1, WINDOW_MS, ENDS_LOGGED, &suppressed))
		LOG(SESSION_EXPIRED, .client_id = session_client_id(s), .user = session_user(s),
		    .cause = cause, .expiry_s = s->expiry_s, .away_s = away_s,
		    .subscriptions = s->subscriptions.count, .queued = queued_of(s),
		    .suppressed = suppressed);
}

void session_report_end(struct session *s, const char *cause)
{
	struct worker *w = s->worker;
	uint32_t suppressed;

	REQUIRE_OWNER(s);
	if (!s->durable || (s->subscriptions.count == 0 && queued_of(s) == 0))
		return;
	losses_add_queue(s, queued_of(s), cause);
	if (log_limit_pass(EVENT_SESSION_ENDED, &w->sessions->ended_limit, w->executor.now_ms + 1,
	                   WINDOW_MS, ENDS_LOGGED, &suppressed))
		LOG(SESSION_ENDED, .client_id = session_client_id(s), .user = session_user(s),
		    .cause = cause, .subscriptions = s->subscriptions.count, .queued = queued_of(s),
		    .suppressed = suppressed);
}

void session_report_ignored(struct session *s, enum ignored_limit limit)
{
	static const struct {
		const char *name, *remedy;
	} limits[] = {
	    [IGNORED_RECEIVE_MAXIMUM] =
		{"limits.receive_maximum",
	         "raise it, or set limits.receive_maximum_enforcement: strict "
	         "to disconnect such clients"},
	    [IGNORED_MAXIMUM_PACKET_SIZE] =
		{"limits.max_packet_size",
	         "its larger messages are dropped: raise it, or set "
	         "limits.max_packet_size_enforcement: strict to disconnect such clients"},
	};
	uint8_t bit = (uint8_t)(1u << limit);

	REQUIRE_OWNER(s);
	if ((s->ignored_limits & bit) != 0)
		return;
	s->ignored_limits |= bit;
	LOG(LIMIT_IGNORED, .client_id = session_client_id(s), .user = session_user(s),
	    .limit = limits[limit].name, .remedy = limits[limit].remedy);
}

void session_report_memory(const struct session *s, const char *what, const char *cause)
{
	struct quota_refusal refusal = {.client_id = session_client_id(s),
	                                .user = session_user(s),
	                                .peer = "",
	                                .what = what,
	                                .cause = cause};
	char peer[STREAM_PEER_TEXT];

	if (s->link != NULL) {
		stream_peer_text(s->link->stream, peer, sizeof(peer));
		refusal.peer = peer;
	}
	quota_report_memory(s->worker, &refusal);
}

void session_report_retained(const struct session *s, struct slice topic, const char *cause)
{
	struct quota_refusal refusal = {
	    .client_id = session_client_id(s), .user = session_user(s), .cause = cause};

	quota_report_retained(s->worker, &refusal, topic);
}
