/* Wills: stored with the session, published at most once, checked again when they are published. D6
 */
#include "session/will.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "session/session_journal.h"
#include "session/session_upcalls.h"

static void on_delay(struct timer *timer, void *executor_arg)
{
	struct session *s = container_of(timer, struct pending_will, delay)->session;

	(void)executor_arg;
	/* Its client may be on its way back. */
	/* mutant: pause_publishes_wills */
	if (executor_postpones(&s->worker->executor, timer, s->away_since_ms))
		return;
	s->worker->upcalls->on_will_due(s);
}

size_t will_cost(size_t message_bytes)
{
	return sizeof(struct pending_will) + message_bytes + 2 * CHARGE_ALLOC;
}

static void make_will(struct session *s, struct msg *msg, uint32_t delay_s)
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
	REQUIRE_OWNER(s);
	make_will(s, msg, delay_s);
	/* mutant: lost_will */
	session_journal_will(s, 0);
}

void will_restore(struct session *s, struct msg *msg, uint32_t delay_s, uint64_t due_ms)
{
	make_will(s, msg, delay_s);
	s->will->recorded = true;
	timer_arm(&s->worker->executor.timers, &s->will->delay, due_ms);
}

void will_leave(struct session *s)
{
	REQUIRE_OWNER(s);
	if (s->will == NULL)
		return;
	REQUIRE(!s->will->is_due);
	executor_timer_disarm(&s->worker->executor, &s->will->delay);
	/* mutant: memory_given_back */
	charge_sub(s->worker, &s->charge, will_cost(msg_bytes(s->will->msg)));
	msg_unref(&s->will->msg);
	free(s->will);
	s->will = NULL;
}

void will_drop(struct session *s)
{
	REQUIRE_OWNER(s);
	if (s->will == NULL)
		return;
	session_journal_will_done(s);
	will_leave(s);
}
