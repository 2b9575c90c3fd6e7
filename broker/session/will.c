/* Wills: kept with the session, published at most once, judged again when they fire.  D6 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "durability/record_batch.h"
#include "session/session_report.h"

static void on_delay(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	will_fire(container_of(timer, struct pending_will, delay)->session);
}

size_t will_cost(size_t message_bytes)
{
	return sizeof(struct pending_will) + message_bytes + 2 * CHARGE_ALLOC;
}

static void make(struct session *s, struct msg *msg, uint32_t delay_s)
{
	REQUIRE(s->will == NULL);
	s->will = xnew(s->will);
	s->will->session = s;
	s->will->msg = msg;
	s->will->delay.fire = on_delay;
	s->will->delay_s = delay_s;
	charge_add(s->worker, &s->charge, will_cost(msg_bytes(msg)));
}

/* [MQTT5-3.1.2-7] */
void will_set(struct session *s, struct msg *msg, uint32_t delay_s)
{
	make(s, msg, delay_s);
	/* mutant: lost_will */
	record_will(s, 0);
}

void will_restore(struct session *s, struct msg *msg, uint32_t delay_s, uint64_t due_ms)
{
	make(s, msg, delay_s);
	s->will->kept = true;
	timer_arm(&s->worker->executor.timers, &s->will->delay, due_ms);
}

void will_leave(struct session *s)
{
	if (s->will == NULL)
		return;
	executor_timer_disarm(&s->worker->executor, &s->will->delay);
	/* mutant: memory_given_back */
	charge_sub(s->worker, &s->charge, will_cost(msg_bytes(s->will->msg)));
	msg_unref(&s->will->msg);
	free(s->will);
	s->will = NULL;
}

void will_drop(struct session *s)
{
	if (s->will == NULL)
		return;
	record_will_done(s);
	will_leave(s);
}

/* Its lifetime begins now: until here expires_ms was an interval. [MQTT5-3.1.3-11] */
static struct msg *begin_life(struct session *s, const struct msg *will)
{
	struct msg_parts parts = {.qos = will->qos,
	                          .retain = will->retain,
	                          .expires_ms = will->expires_ms,
	                          .topic = msg_topic(will),
	                          .forwarded = msg_forwarded(will),
	                          .payload = msg_payload(will)};

	if (parts.expires_ms != MSG_NEVER)
		parts.expires_ms += s->worker->executor.now_ms;
	return msg_new(s->origin, &parts);
}

void will_fire(struct session *s)
{
	struct publish_job job = {
	    .session = s,
	    .action = ACL_WILL,
	};
	struct msg *will, *msg;
	struct acl_request request;

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
	job.ends_will = s->will->kept;
	job.verdict =
	    publish_access_check(s->worker, session_subject(s), s->origin->user_key, &request);
	if (!job.verdict.allowed || publish_route(s->worker, &job) == PUBLISH_DENIED)
		session_report_denial(s, DENIAL_WILL, msg_topic(msg), &job.verdict);
	else
		s->will->kept = false; /* its end went with the message */
	msg_unref(&msg);
	will_drop(s);
}
