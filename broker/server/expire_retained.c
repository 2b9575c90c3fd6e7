/* A timer of worker 0 around retain_sweep. */
#include "server/expire_retained.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "worker/shared.h"
#include "worker/worker.h"

struct sweep {
	struct task start;
	struct timer timer;
};

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct worker *w = executor_arg;

	if (w->stopping)
		return;
	retain_sweep(w->shared->retain, w->executor.now_ms, SWEEP_NODES);
	executor_timer_arm(&w->executor, timer, SWEEP_INTERVAL_MS);
}

static void on_start(struct task *task, void *executor_arg)
{
	struct sweep *sweep = container_of(task, struct sweep, start);

	on_timer(&sweep->timer, executor_arg);
}

struct sweep *sweep_start(struct shared *shared)
{
	struct sweep *sweep = xnew(sweep);

	sweep->timer.fire = on_timer;
	sweep->start.run = on_start;
	executor_send(&shared->workers[0]->executor, &sweep->start);
	return sweep;
}

void sweep_free(struct sweep *sweep)
{
	free(sweep);
}
