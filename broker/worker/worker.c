/* What all folders use of a worker. */
#include "worker/worker.h"

#include "tree/route_match.h"
#include "worker/shared.h"

void worker_init(struct worker *w, struct shared *shared, unsigned index,
                 struct config_snapshot *snapshot, executor_turn_end_fn *turn_end)
{
	REQUIRE(index < shared->worker_count);
	w->shared = shared;
	w->is_durable = journal_is_durable(shared->journal);
	w->snapshot = config_snapshot_ref(snapshot);
	w->turn_steps = WORKER_TURN_STEPS;
	worker_begin_turn(w);
	executor_init(&w->executor, index, turn_end, w);
}

void worker_fini(struct worker *w)
{
	config_snapshot_unref(&w->snapshot);
	executor_fini(&w->executor);
}

const struct conf_listener *worker_listener(const struct worker *w, unsigned slot)
{
	const struct conf_listener *l = config_snapshot_listener(w->snapshot, slot);

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(l != NULL); /* connections of a listener that is gone are refused (admission.c) */
	return l;
}

const struct conf_limits *worker_limits(const struct worker *w, unsigned listener)
{
	const struct conf_listener *l = config_snapshot_listener(w->snapshot, listener);

	return l == NULL ? &w->snapshot->conf->limits : &l->limits;
}
