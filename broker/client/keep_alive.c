/* The timer of a connection: CONNECT deadline, then keep alive, or the end of a rate's pause. */
#include "client/keep_alive.h"

#include "client/deferred_close.h"
#include "worker/worker.h"

void keep_alive_spend_rate(struct conn *c)
{
	struct worker *w = c->link.worker;
	uint32_t per_second = client_link_limits(&c->link)->message_rate;
	uint64_t wait_ms;

	REQUIRE_OWNER(&c->link);
	if (per_second == 0)
		return;
	wait_ms = rate_limiter_spend(&c->rate_limiter, per_second, w->executor.now_ms);
	if (wait_ms == 0)
		return;
	client_link_pause(&c->link, PAUSE_RATE);
	executor_timer_arm(&w->executor, &c->timer, wait_ms);
}

void keep_alive_on_timer(struct timer *timer, void *executor_arg)
{
	struct conn *c = container_of(timer, struct conn, timer);
	struct worker *w = executor_arg;
	/* mutant: keep_alive_twice */
	uint64_t allowed_ms = (uint64_t)c->keep_alive_s * 1500;

	REQUIRE_OWNER(&c->link);
	if (deferred_close_is_late(c))
		return;
	if (c->state == CONN_NEW) {
		conn_close(c, CLOSE_NO_CONNECT);
		return;
	}
	if (c->state == CONN_ACCEPTED && (c->link.pauses & PAUSE_RATE) != 0) {
		/* Its keep alive was not checked meanwhile: it begins again. */
		c->link.last_packet_ms = w->executor.now_ms;
		if (c->keep_alive_s > 0)
			executor_timer_arm(&w->executor, timer, allowed_ms);
		conn_resume(c, PAUSE_RATE);
		return;
	}
	if (c->state != CONN_ACCEPTED || c->keep_alive_s == 0)
		return;
	if ((c->link.pauses & (PAUSE_PRESSURE | PAUSE_STORE | PAUSE_TURN)) != 0)
		c->link.last_packet_ms = w->executor.now_ms;
	/* [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
	if (w->executor.now_ms - c->link.last_packet_ms >= allowed_ms)
		conn_close(c, CLOSE_KEEP_ALIVE);
	else
		timer_arm(&w->executor.timers, timer, c->link.last_packet_ms + allowed_ms);
}
