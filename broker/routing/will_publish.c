/* Published once, and checked again when it is due. */
#include "routing/will_publish.h"

#include "base/container.h"
#include "routing/publish_match.h"
#include "routing/publish_route.h"
#include "routing/router.h"
#include "session/session_report.h"
#include "session/trace.h"
#include "session/will.h"
#include "worker/ordered_work.h"
#include "worker/publish_access.h"

/* Its lifetime begins now: until here expires_ms was an interval. [MQTT5-3.1.3-11] */
static struct msg *begin_life(struct session *s, struct msg *will)
{
	struct msg_parts parts = {.qos = will->qos,
	                          .retain = will->retain,
	                          .expires_ms = will->expires_ms,
	                          .topic = msg_topic(will),
	                          .forwarded = msg_forwarded(will),
	                          .payload = msg_payload(will)};

	/* Nobody else has it: it need not be copied. */
	if (will->expires_ms == MSG_NEVER && will->origin == s->origin)
		return msg_ref(will);
	if (will->expires_ms != MSG_NEVER)
		parts.expires_ms += s->worker->executor.now_ms;
	return msg_new(s->origin, &parts);
}

static struct pending_will *will_of(struct ordered_work *work)
{
	return container_of(work, struct pending_will, publishing);
}

/* The worker goes (a crash): where it is kept, the next start publishes it. */
static void drop_will(struct worker *w, struct ordered_work *work)
{
	(void)w;
	will_of(work)->is_due = false;
}

static bool go_on_will(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct pending_will *will = will_of(work);
	struct session *s = will->session;
	struct publish_job job = {
	    .session = s,
	    .action = ACL_WILL,
	    .msg = will->msg,
	    /* mutant: will_twice */
	    .ends_will = will->recorded,
	};
	struct acl_request request = publish_access_request(ACL_WILL, will->msg);
	enum publish_outcome outcome = PUBLISH_DENIED;

	job.verdict = publish_access_check(w, session_subject(s), s->origin->user_key, &request);
	if (!job.verdict.allowed)
		publish_match_forget_own(w, &w->router->own); /* since its last slice */
	else if (!publish_route_slices(w, &job, until, &outcome))
		return false;
	if (outcome == PUBLISH_DENIED)
		session_report_denial(s, DENIAL_WILL, msg_topic(will->msg), &job.verdict);
	else if (/* mutant: refused_will_returns */ outcome == PUBLISH_ROUTED)
		will->recorded = false; /* its end went with the message */
	if (trace_is_on() && outcome == PUBLISH_ROUTED && trace_wants_session(s))
		LOG(WILL_PUBLISHED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(will->msg));
	will->is_due = false;
	will_drop(s);
	return true;
}

void will_publish(struct session *s)
{
	struct pending_will *will = s->will;
	struct msg *msg;

	REQUIRE_OWNER(s);
	if (will == NULL || will->is_due)
		return;
	if (s->worker->stopping) { /* nobody is left to hear it: where it is kept, the next start
		                      publishes it */
		will_leave(s);
		return;
	}
	msg = begin_life(s, will->msg);
	REQUIRE(msg_bytes(msg) == msg_bytes(will->msg)); /* it is charged */
	msg_unref(&will->msg);
	will->msg = msg;
	will->is_due = true;
	will->publishing.go_on = go_on_will;
	will->publishing.drop = drop_will;
	ordered_work_add(s->worker, ORDERED_PUBLISHES, &will->publishing);
}
