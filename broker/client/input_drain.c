/* Three states: not read, read as usual, and draining. */
#include "client/input_drain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "client/deferred_publish.h"
#include "client/yield.h"
#include "proto/packet_publish.h"
#include "session/disk_queue.h"
#include "session/inflight/input_limit.h"
#include "session/inflight/pending_ack.h"
#include "worker/shared.h"

#define DRAIN_IDLE_MS  5000
#define DRAIN_TOTAL_MS 300000

/* A connection that is read although it owes too much. */
struct drain {
	struct conn *conn;
	struct timer timer; /* armed while it skips */
	uint64_t since_ms, heard_ms;
	bool skips; /* a packet was skipped: later ones must not be handled (D3) */
};

/* --- draining --- */

static void drain_free(struct conn *c)
{
	struct drain *d = c->link.limit.drain;

	if (d == NULL)
		return;
	executor_timer_disarm(&c->link.worker->executor, &d->timer);
	free(d);
	c->link.limit.drain = NULL;
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct drain *d = container_of(timer, struct drain, timer);
	struct conn *c = d->conn;
	uint64_t now_ms = c->link.worker->executor.now_ms, idle_ms, total_ms;

	(void)executor_arg;
	if ((c->link.pauses & ~PAUSE_OUTPUT) != 0) /* we do not read */
		d->heard_ms = now_ms;
	if (d->heard_ms < c->link.worker->executor.resumed_ms) /* we did not run */
		d->heard_ms = c->link.worker->executor.resumed_ms;
	idle_ms = d->heard_ms + DRAIN_IDLE_MS;
	/* mutant: input_limit_maximum */
	total_ms = d->since_ms + DRAIN_TOTAL_MS;
	/* mutant: input_limit_idle */
	if (now_ms >= idle_ms || now_ms >= total_ms)
		conn_close(c, CLOSE_STORE_FULL);
	else
		timer_arm(&c->link.worker->executor.timers, timer,
		          idle_ms < total_ms ? idle_ms : total_ms);
}

static void skip(struct conn *c, const struct frame *f)
{
	struct drain *d = c->link.limit.drain;
	struct worker *w = c->link.worker;

	if (!d->skips) {
		d->skips = true;
		d->since_ms = d->heard_ms = w->executor.now_ms;
		executor_timer_arm(&w->executor, &d->timer, DRAIN_IDLE_MS);
	}
	count_packet_received(&w->counters, f->type, f->size_bytes);
	if (f->type == PACKET_PUBLISH && packet_publish_qos(f) == 0)
		count_drop(&w->counters, DROP_STORE_FULL);
}

static bool has_place(const struct conn *c, const struct frame *f)
{
	REQUIRE(!c->link.limit.drain->skips);
	if (f->type == PACKET_PINGREQ) /* answered at once */
		return true;
	if (f->type != PACKET_PUBLISH)
		return !input_limit_others_reached(&c->link);
	if (c->link.limit.journal_full)
		return false;
	return packet_publish_qos(f) == 0 ? !c->link.limit.many_deferred
	                                  : !input_limit_publishes_reached(&c->link, 1);
}

static bool is_acknowledgement(enum packet_type type)
{
	return type == PACKET_PUBACK || type == PACKET_PUBREC || type == PACKET_PUBREL ||
	       type == PACKET_PUBCOMP;
}

bool input_drain_admits(struct conn *c, const struct frame *f)
{
	const struct drain *d = c->link.limit.drain;

	REQUIRE_OWNER(&c->link);
	REQUIRE(d != NULL && c->state == CONN_ACCEPTED);
	if (is_acknowledgement(f->type) || f->type == PACKET_DISCONNECT)
		return true;
	if (c->link.request != NULL || c->link.match != NULL) /* it has begun */
		return true;
	/* mutant: input_limit_skips */
	if (!d->skips && has_place(c, f))
		return true;
	skip(c, f);
	return false;
}

void input_drain_heard(struct conn *c)
{
	c->link.limit.drain->heard_ms = c->link.worker->executor.now_ms;
}

/* Nothing of its session waits to be sent or acknowledged. */
static bool is_drained(const struct session *s)
{
	return s->in_flight_count == 0 && s->waiting.count == 0 && disk_queue_count(s) == 0;
}

static bool may_drain(const struct conn *c)
{
	return journal_lacks_space(c->link.worker->shared->journal) &&
	       pending_ack_has_connack(&c->link) && c->link.session->in_flight_count > 0;
}

/* In a later turn: others have waited for space too. */
static void go_on_reading(struct conn *c)
{
	if ((c->link.pauses & PAUSE_STORE) == 0)
		return;
	yield_begin(c);
	conn_resume(c, PAUSE_STORE);
}

void input_drain_apply(struct conn *c)
{
	struct drain *d;

	REQUIRE_OWNER(&c->link);
	if (c->state != CONN_ACCEPTED)
		return;
	if (c->link.limit.drain != NULL && c->link.limit.drain->skips) {
		if (is_drained(c->link.session))
			conn_close(c, CLOSE_STORE_FULL);
	} else if (!input_limit_is_reached(&c->link)) {
		drain_free(c);
		go_on_reading(c);
	} else if (/* mutant: input_limit_drain */ may_drain(c)) {
		if (c->link.limit.drain == NULL) {
			d = xnew(d);
			d->conn = c;
			d->timer.fire = on_timer;
			c->link.limit.drain = d;
		}
		go_on_reading(c);
	} else {
		drain_free(c);
		client_link_pause(&c->link, PAUSE_STORE);
	}
}

void input_drain_forget(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	drain_free(c);
	c->link.limit = (struct input_limit){0};
}
