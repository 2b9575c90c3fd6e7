/* Counters of what a connection owes, and what follows from them. */
#include "client/input_limit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "client/deferred_publish.h"
#include "client/yield.h"
#include "proto/packet_publish.h"
#include "session/disk_queue.h"
#include "worker/shared.h"

#define OTHERS_MAX     64
#define DRAIN_IDLE_MS  5000
#define DRAIN_TOTAL_MS 300000

/* A connection that is read on although it owes too much. */
struct drain {
	struct conn *conn;
	struct timer timer; /* armed while it skips */
	uint64_t since_ms, heard_ms;
	bool skips; /* a packet was skipped: what follows must not be acted on. D3 */
};

/* --- counting --- */

static uint32_t *counter_of(struct conn *c, enum packet_type type)
{
	bool publish = type == PACKET_PUBACK || type == PACKET_PUBREC || type == PACKET_PUBCOMP;

	return publish ? &c->limit.publishes : &c->limit.others;
}

void input_limit_add(struct conn *c, enum packet_type type)
{
	(*counter_of(c, type))++;
}

void input_limit_remove(struct conn *c, enum packet_type type)
{
	uint32_t *counter = counter_of(c, type);

	REQUIRE(*counter > 0);
	(*counter)--;
}

void input_limit_note_journal(struct conn *c)
{
	if (journal_is_full(c->worker->server->journal))
		c->limit.journal_full = true;
}

uint32_t input_limit_owed(const struct conn *c)
{
	const struct input_limit *l = &c->limit;

	return l->publishes + l->others + l->pings + l->deferred;
}

/* --- the bound --- */

/* A 5.0 client that stays within the Receive Maximum never exceeds it; one of 3.1.1 cannot be told.
 */
static bool publishes_reached(const struct conn *c, uint32_t more)
{
	uint32_t owed = c->limit.publishes + c->limit.deferred;
	uint32_t max = worker_limits(c->worker, c)->receive_maximum;

	if (c->version != MQTT_5_0)
		more = 1;
	/* mutant: input_limit_publishes */
	return owed + more > max || parked_is_many(c);
}

static bool others_reached(const struct conn *c)
{
	/* mutant: input_limit_others, input_limit_pings */
	return c->limit.others + c->limit.pings >= OTHERS_MAX || c->limit.journal_full;
}

bool input_limit_is_reached(const struct conn *c)
{
	return others_reached(c) || publishes_reached(c, 0);
}

/* --- draining --- */

static void drain_free(struct conn *c)
{
	struct drain *d = c->limit.drain;

	if (d == NULL)
		return;
	executor_timer_disarm(&c->worker->executor, &d->timer);
	free(d);
	c->limit.drain = NULL;
}

static void fail(struct conn *c)
{
	conn_fail(c, REASON_QUOTA_EXCEEDED,
	          "the store is full, and messages were skipped: connect again to send them");
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct drain *d = container_of(timer, struct drain, timer);
	struct conn *c = d->conn;
	uint64_t now_ms = c->worker->executor.now_ms, idle_ms, total_ms;

	(void)executor_arg;
	if ((c->pauses & ~CONN_PAUSE_BACKLOG) != 0) /* we do not read */
		d->heard_ms = now_ms;
	idle_ms = d->heard_ms + DRAIN_IDLE_MS;
	/* mutant: input_limit_maximum */
	total_ms = d->since_ms + DRAIN_TOTAL_MS;
	/* mutant: input_limit_idle */
	if (now_ms >= idle_ms || now_ms >= total_ms)
		fail(c);
	else
		timer_arm(&c->worker->executor.timers, timer,
		          idle_ms < total_ms ? idle_ms : total_ms);
}

static void drain_begin(struct conn *c)
{
	struct drain *d;

	if (c->limit.drain != NULL)
		return;
	d = xnew(d);
	d->conn = c;
	d->timer.fire = on_timer;
	c->limit.drain = d;
}

static void skip(struct conn *c, const struct frame *f)
{
	struct drain *d = c->limit.drain;
	struct worker *w = c->worker;

	if (!d->skips) {
		d->skips = true;
		d->since_ms = d->heard_ms = w->executor.now_ms;
		executor_timer_arm(&w->executor, &d->timer, DRAIN_IDLE_MS);
	}
	count(&w->counters.packets_received);
	if (f->type == PACKET_PUBLISH && publish_frame_qos(f) == 0)
		count(&w->counters.messages_dropped);
}

/* Only while nothing was skipped. */
static bool has_place(const struct conn *c, const struct frame *f)
{
	if (f->type == PACKET_PINGREQ) /* answered at once */
		return true;
	if (f->type != PACKET_PUBLISH)
		return !others_reached(c);
	if (c->limit.journal_full)
		return false;
	return publish_frame_qos(f) == 0 ? !parked_is_many(c) : !publishes_reached(c, 1);
}

static bool is_acknowledgement(enum packet_type type)
{
	return type == PACKET_PUBACK || type == PACKET_PUBREC || type == PACKET_PUBREL ||
	       type == PACKET_PUBCOMP;
}

bool input_limit_admits(struct conn *c, const struct frame *f)
{
	const struct drain *d = c->limit.drain;

	if (is_acknowledgement(f->type) || f->type == PACKET_DISCONNECT)
		return true;
	if (c->request != NULL) /* it has begun */
		return true;
	/* mutant: input_limit_skips */
	if (!d->skips && has_place(c, f))
		return true;
	skip(c, f);
	return false;
}

void input_limit_heard(struct conn *c)
{
	c->limit.drain->heard_ms = c->worker->executor.now_ms;
}

/* Nothing of its session waits to be sent or acknowledged. */
static bool is_drained(const struct session *s)
{
	return s->in_flight_count == 0 && s->waiting.count == 0 && disk_queue_count(s) == 0;
}

static bool may_drain(const struct conn *c)
{
	return journal_lacks_space(c->worker->server->journal) && conn_has_connack(c) &&
	       c->session->in_flight_count > 0;
}

/* Later: others have waited for space too. */
static void go_on_reading(struct conn *c)
{
	if ((c->pauses & CONN_PAUSE_STORE) == 0)
		return;
	conn_yield(c);
	conn_resume(c, CONN_PAUSE_STORE);
}

void input_limit_apply(struct conn *c)
{
	if (c->state != CONN_ACCEPTED)
		return;
	if (c->limit.drain != NULL && c->limit.drain->skips) {
		if (is_drained(c->session))
			fail(c);
	} else if (!input_limit_is_reached(c)) {
		drain_free(c);
		go_on_reading(c);
	} else if (/* mutant: input_limit_drain */ may_drain(c)) {
		drain_begin(c);
		go_on_reading(c);
	} else {
		drain_free(c);
		conn_pause(c, CONN_PAUSE_STORE);
	}
}

void input_limit_forget(struct conn *c)
{
	drain_free(c);
	c->limit = (struct input_limit){0};
}
