/* A queue, first come first served; and those before it whose packet at hand is under way, of whom
 * one goes on in each turn. */
#include "client/yield.h"

#include "base/clock.h"
#include "base/list.h"
#include "client/client_list.h"
#include "net/loop.h"
#include "session/client_link.h"
#include "worker/worker.h"

/* In a turn that has taken this long no further connection goes on; at least one does. */
#define TURN_NS UINT64_C(1000000)
/* Connections that go on in a turn where the clock stands still (simulation). */
#define TURN_MAX 4

static struct conn **list_of(const struct conn *c)
{
	struct client_list *clients = c->link.worker->clients;

	return c->yielded_first ? &clients->going_on : &clients->yielding;
}

static void begin_yield(struct conn *c, bool first)
{
	bool stays_first = first && c->yielded_first; /* it went on in this turn */

	REQUIRE_OWNER(&c->link);
	if (c->yielded)
		return;
	c->yielded = true;
	c->yielded_first = first;
	c->yielded_in = c->link.worker->turn;
	if (stays_first)
		DL_PREPEND2(*list_of(c), c, yield_prev, yield_next);
	else
		DL_APPEND2(*list_of(c), c, yield_prev, yield_next);
	client_link_pause(&c->link, PAUSE_TURN);
}

void yield_begin(struct conn *c)
{
	begin_yield(c, false);
}

void yield_go_on(struct conn *c)
{
	begin_yield(c, true);
}

bool yield_is_pending(const struct worker *w)
{
	return w->clients->yielding != NULL || w->clients->going_on != NULL;
}

bool yield_heavy(struct conn *c)
{
	const struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	/* mutant: heavy_in_one_turn */
	/* mutant: many_heavy_in_one_turn */
	if (w->clients->heavy_turn != w->turn && !worker_turn_is_used(w) && !yield_is_pending(w)) {
		w->clients->heavy_turn = w->turn;
		return false;
	}
	yield_begin(c);
	return true;
}

void yield_forget(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	if (c->yielded)
		DL_DELETE2(*list_of(c), c, yield_prev, yield_next);
	c->yielded = false;
}

/* NULL: those that are left have had their share of this turn. */
static struct conn *next_of(const struct worker *w, bool is_first)
{
	struct conn *c = w->clients->yielding;

	if (is_first && w->clients->going_on != NULL)
		c = w->clients->going_on;
	return c == NULL || c->yielded_in == w->turn ? NULL : c;
}

bool yield_turn(struct worker *w)
{
	uint64_t begin_ns = clock_monotonic_ns();
	bool more = false;
	/* Others may begin what is as long. */
	unsigned max = w->clients->going_on != NULL ? 2 : TURN_MAX;

	REQUIRE_EXECUTOR(&w->executor);
	for (unsigned n = 0; n < max; n++) {
		struct conn *c = next_of(w, n == 0);

		if (c == NULL && n > 0)
			break;
		if (c == NULL)
			continue;
		REQUIRE(c->yielded && (c->link.pauses & PAUSE_TURN) != 0);
		yield_forget(c);
		conn_resume(c, PAUSE_TURN);
		c->yielded_first = c->yielded && c->yielded_first;
		more = true; /* it may be read again */
		if (worker_turn_is_used(w) || clock_monotonic_ns() - begin_ns > TURN_NS ||
		    (w->loop != NULL && loop_is_awaited(w->loop)))
			break;
	}
	return more || yield_is_pending(w);
}
