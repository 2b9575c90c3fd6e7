/* Published once, and checked again when it is due. */
#include "routing/will_publish.h"

#include "routing/publish_route.h"
#include "session/session_report.h"
#include "session/trace.h"
#include "session/will.h"
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

void will_publish(struct session *s)
{
	struct publish_job job = {
	    .session = s,
	    .action = ACL_WILL,
	};
	struct msg *will, *msg;
	struct acl_request request;

	REQUIRE_OWNER(s);
	if (s->will == NULL)
		return;
	if (s->worker->stopping) { /* nobody is left to hear it: where it is kept, the next start
		                      publishes it */
		will_leave(s);
		return;
	}
	will = s->will->msg;
	msg = begin_life(s, will);
	request = publish_access_request(ACL_WILL, msg);
	job.msg = msg;
	/* mutant: will_twice */
	job.ends_will = s->will->recorded;
	job.verdict =
	    publish_access_check(s->worker, session_subject(s), s->origin->user_key, &request);
	if (!job.verdict.allowed || publish_route(s->worker, &job) == PUBLISH_DENIED)
		session_report_denial(s, DENIAL_WILL, msg_topic(msg), &job.verdict);
	else
		s->will->recorded = false; /* its end went with the message */
	if (trace_is_on() && job.verdict.allowed && trace_wants_session(s))
		LOG(WILL_PUBLISHED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(msg));
	msg_unref(&msg);
	will_drop(s);
}
