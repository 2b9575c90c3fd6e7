/* A queue, first come first served. */
#include "client/yield.h"

#include "base/clock.h"
#include "base/list.h"
#include "client/client_list.h"
#include "session/client_link.h"
#include "worker/worker.h"

/* In a turn that has taken this long no further connection goes on; at least one does. */
#define TURN_NS UINT64_C(1000000)
/* Connections that go on in a turn where the clock stands still (simulation). */
#define TURN_MAX 4

void yield_begin(struct conn *c)
{
	struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	if (c->yielded)
		return;
	c->yielded = true;
	c->yielded_in = w->turn;
	DL_APPEND2(w->clients->yielding, c, yield_prev, yield_next);
	client_link_pause(&c->link, PAUSE_TURN);
}

bool yield_heavy(struct conn *c)
{
	const struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	/* mutant: heavy_in_one_turn */
	if (!worker_turn_is_used(w) && w->clients->yielding == NULL)
		return false;
	yield_begin(c);
	return true;
}

void yield_forget(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	if (c->yielded)
		DL_DELETE2(c->link.worker->clients->yielding, c, yield_prev, yield_next);
	c->yielded = false;
}

bool yield_turn(struct worker *w)
{
	uint64_t begin_ns = clock_monotonic_ns();
	bool more = false;

	REQUIRE_EXECUTOR(&w->executor);
	for (unsigned n = 0; n < TURN_MAX; n++) {
		struct conn *c = w->clients->yielding;

		if (c == NULL || c->yielded_in == w->turn)
			break;
		REQUIRE(c->yielded && (c->link.pauses & PAUSE_TURN) != 0);
		yield_forget(c);
		conn_resume(c, PAUSE_TURN);
		more = true; /* it may be read again */
		if (worker_turn_is_used(w) || clock_monotonic_ns() - begin_ns > TURN_NS)
			break;
	}
	return more || w->clients->yielding != NULL;
}
