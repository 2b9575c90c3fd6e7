/* See space_walk.h. */
#include "client/space_walk.h"

#include "client/client_list.h"
#include "client/input_drain.h"
#include "client/packet_dispatch.h"
#include "session/session_deliver.h"
#include "worker/shared.h"

/* About an eighth of a millisecond. */
#define SLICE_STEPS(w) ((w)->turn_steps / 32 + 1)
/* Of one that waits; of so many that do not. */
#define WAITING_STEPS  4
#define LOOKS_PER_STEP 8

void space_walk_start(struct worker *w)
{
	struct space_walk *walk = &w->clients->space_walk;

	REQUIRE_EXECUTOR(&w->executor);
	if (walk->next == NULL)
		walk->next = w->clients->conns;
	else
		walk->again = true; /* for those that it has passed */
}

bool space_walk_is_pending(const struct worker *w)
{
	const struct space_walk *walk = &w->clients->space_walk;

	return walk->next != NULL || walk->again;
}

void space_walk_forget(struct conn *c)
{
	struct space_walk *walk = &c->link.worker->clients->space_walk;

	REQUIRE_OWNER(&c->link);
	if (walk->next == c)
		walk->next = c->next;
}

/* One of its packets is under way, and nobody else goes on with it. */
static bool is_resting(const struct conn *c)
{
	return c->deferred != NULL && c->link.match != NULL &&
	       (c->link.pauses & PAUSE_STORE) != 0 &&
	       (c->link.pauses & ~(PAUSE_STORE | PAUSE_TURN)) == 0 && !c->link.limit.journal_full;
}

/* False: it has more to do. */
static bool go_on(struct worker *w, struct conn *c, uint64_t until)
{
	if (c->link.session != NULL)
		session_deliver_wake_replay(c->link.session);
	if (!conn_waits(c) && (c->link.pauses & PAUSE_STORE) == 0)
		return true;
	c->link.limit.journal_full =
	    c->link.limit.journal_full && journal_is_full(w->shared->journal);
	if (packet_dispatch_deferred(c, until))
		return false;
	input_drain_apply(c);
	w->work += WAITING_STEPS;
	return !is_resting(c);
}

bool space_walk_turn(struct worker *w)
{
	struct space_walk *walk = &w->clients->space_walk;
	/* mutant: space_for_all_in_one_turn */
	uint64_t until = w->work + SLICE_STEPS(w);

	REQUIRE_EXECUTOR(&w->executor);
	if (walk->next == NULL && walk->again) {
		walk->again = false;
		walk->next = w->clients->conns;
	}
	for (unsigned n = 1; walk->next != NULL && w->work < until; n++) {
		struct conn *c = walk->next;

		w->work += n % LOOKS_PER_STEP == 0;
		walk->next = c->next;
		if (!go_on(w, c, until))
			walk->next = c;
	}
	return space_walk_is_pending(w);
}
