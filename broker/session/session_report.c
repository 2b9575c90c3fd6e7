/* Denials are told: one warning with the rule, limited per client and rule. */
#include "base/alloc.h"
#include "worker/worker.h"

#define WINDOW_MS 10000

struct log_limits *session_log_limits(struct session *s)
{
	if (s->log_limits == NULL) {
		s->log_limits = xnew(s->log_limits);
		charge_add(s->worker, &s->charge, sizeof(*s->log_limits));
	}
	return s->log_limits;
}

static struct log_limit *limit_of(struct session *s, uint32_t rule)
{
	struct log_limits *log_limits = session_log_limits(s);
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

void session_log_denial(struct session *s, enum denial_kind kind, struct slice topic,
                        const struct acl_verdict *verdict)
{
	const struct acl *acl = s->worker->snapshot->acl;
	uint32_t rule = acl_verdict_id(verdict) * 8 + (uint32_t)kind;
	uint32_t suppressed;
	char text[256];
	size_t len;

	count(&s->worker->counters.denials);
	if (!log_limit_pass(limit_of(s, rule), s->worker->executor.now_ms + 1, WINDOW_MS, 1,
	                    &suppressed))
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
	}
#undef WHO
#undef RULE
}
