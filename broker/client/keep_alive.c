/* The timer of a connection: CONNECT deadline, then keep alive, or the end of a rate's pause. */
#include "client/keep_alive.h"

#include "client/deferred_close.h"
#include "worker/worker.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- rates --- */

/* Two rates may ask for it at one time: the longer pause holds. */
static void pause_for_rate(struct conn *c, uint64_t wait_ms)
{
	struct executor *executor = &c->link.worker->executor;
	uint64_t until_ms = executor->now_ms + wait_ms;

	if (wait_ms == 0)
		return;
	if ((c->link.pauses & PAUSE_RATE) != 0)
		until_ms = later(until_ms, c->timer.due_ms);
	client_link_pause(&c->link, PAUSE_RATE);
	timer_arm(&executor->timers, &c->timer, until_ms);
}

void keep_alive_spend_rate(struct conn *c)
{
	uint32_t per_second = client_link_limits(&c->link)->message_rate;

	REQUIRE_OWNER(&c->link);
	if (per_second > 0)
		pause_for_rate(c, rate_limiter_spend(&c->rate_limiter, per_second,
		                                     c->link.worker->executor.now_ms));
}

void keep_alive_spend_bytes(struct conn *c, size_t bytes)
{
	uint32_t per_second = client_link_limits(&c->link)->byte_rate;

	REQUIRE_OWNER(&c->link);
	/* mutant: byte_rate_holds */
	if (per_second > 0)
		pause_for_rate(c, rate_limiter_spend_many(&c->byte_limiter, bytes, per_second,
		                                          c->link.worker->executor.now_ms));
}

/* --- silence --- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t allowed_ms(const struct conn *c)
{
	/* mutant: keep_alive_twice */
	uint64_t interval_ms = (uint64_t)c->keep_alive_s * 1500;

	return interval_ms == 0 ? KEEP_ALIVE_OUTPUT_MS : interval_ms;
}

/* A pause of ours counts as life. */
static uint64_t not_before_pause(const struct conn *c, uint64_t since_ms)
{
	/* mutant: pause_closes_clients */
	return later(since_ms, c->link.worker->executor.resumed_ms);
}

/* When the connection is silent, if nothing arrives until then. */
static uint64_t input_due_ms(const struct conn *c)
{
	/* mutant: record_counts_as_silence */
	uint64_t heard_ms = later(c->link.heard_ms, stream_heard_ms(c->link.stream));

	if (c->keep_alive_s == 0 || c->link.pauses != 0)
		return UINT64_MAX;
	return not_before_pause(c, heard_ms) + allowed_ms(c);
}

/* When the packet under way has come too slowly, or the TLS record. */
static uint64_t packet_due_ms(const struct conn *c)
{
	bool passed = c->skip_left > 0;
	uint64_t bytes = c->in.len + stream_undelivered(c->link.stream) + (passed ? c->skipped : 0);

	if (c->keep_alive_s == 0 || c->link.pauses != 0 || bytes == 0)
		return UINT64_MAX;
	/* mutant: slow_packet_stays */
	return not_before_pause(c, c->in.len > 0 || /* mutant: slow_large_publish_stays */ passed
	                               ? c->packet_ms
	                               : c->link.heard_ms) +
	       allowed_ms(c) + bytes * 1000 / KEEP_ALIVE_PACKET_RATE;
}

/* When it has taken nothing for too long. */
static uint64_t output_due_ms(struct conn *c)
{
	const struct executor *executor = &c->link.worker->executor;
	uint64_t accepted;

	/* mutant: silent_reader_stays */
	if (c->link.pauses == 0 || stream_backlog(c->link.stream) == 0)
		return UINT64_MAX;
	accepted = stream_accepted(c->link.stream);
	if (accepted != c->accepted_bytes)
		c->taking_ms = executor->now_ms;
	c->accepted_bytes = accepted;
	return not_before_pause(c, later(c->taking_ms, c->link.paused_ms)) + allowed_ms(c);
}

/* How often what it takes is looked at: four times in the interval. */
static uint64_t look_ms(const struct conn *c)
{
	return allowed_ms(c) / 4;
}

static void check_silence(struct conn *c)
{
	struct executor *executor = &c->link.worker->executor;
	uint64_t now_ms = executor->now_ms, input_ms = input_due_ms(c),
		 packet_ms = packet_due_ms(c);
	uint64_t output_ms = output_due_ms(c), next_ms = sooner(input_ms, packet_ms);

	/* [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
	if (now_ms >= input_ms) {
		/* A client that does not follow Server Keep Alive: the setting is the remedy. */
		conn_close(c, c->server_keep_alive ? CLOSE_SERVER_KEEP_ALIVE : CLOSE_KEEP_ALIVE);
		return;
	}
	if (now_ms >= packet_ms) {
		conn_close(c, CLOSE_SLOW_PACKET);
		return;
	}
	if (now_ms >= output_ms) {
		conn_close(c, CLOSE_TAKES_NOTHING);
		return;
	}
	if (output_ms != UINT64_MAX)
		next_ms = sooner(sooner(next_ms, output_ms), now_ms + look_ms(c));
	else if (next_ms == UINT64_MAX && c->keep_alive_s > 0)
		next_ms = now_ms + allowed_ms(c);
	if (next_ms != UINT64_MAX)
		timer_arm(&executor->timers, &c->timer, next_ms);
}

void keep_alive_begin(struct conn *c)
{
	struct executor *executor = &c->link.worker->executor;

	REQUIRE_OWNER(&c->link);
	c->link.heard_ms = executor->now_ms;
	c->packet_ms = executor->now_ms;
	executor_timer_disarm(executor, &c->timer);
	if (c->keep_alive_s > 0)
		executor_timer_arm(executor, &c->timer, allowed_ms(c));
}

void keep_alive_watch_output(struct conn *c)
{
	struct executor *executor = &c->link.worker->executor;

	REQUIRE_OWNER(&c->link);
	c->accepted_bytes = stream_accepted(c->link.stream);
	c->taking_ms = executor->now_ms;
	if (c->state == CONN_ACCEPTED && (c->link.pauses & PAUSE_RATE) == 0)
		executor_timer_arm(executor, &c->timer, look_ms(c));
}

void keep_alive_on_timer(struct timer *timer, void *executor_arg)
{
	struct conn *c = container_of(timer, struct conn, timer);
	struct worker *w = executor_arg;
	uint64_t since_ms = c->opening == NULL ? c->since_ms : c->opening->place.accepted_ms;

	REQUIRE_OWNER(&c->link);
	if (c->state != CONN_ACCEPTED && executor_postpones(&w->executor, timer, since_ms))
		return;
	if (deferred_close_is_late(c))
		return;
	if (c->state == CONN_NEW) {
		conn_close(c, CLOSE_NO_CONNECT);
		return;
	}
	if (c->state != CONN_ACCEPTED)
		return;
	if ((c->link.pauses & PAUSE_RATE) != 0)
		conn_resume(c, PAUSE_RATE);
	if (c->state == CONN_ACCEPTED && (c->link.pauses & PAUSE_RATE) == 0)
		check_silence(c);
}
