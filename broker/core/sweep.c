/* A timer of worker 0 around retain_sweep. */
#include "core/sweep.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "core/server.h"

struct sweep {
	struct post start;
	struct timer timer;
};

static void on_timer(struct timer *timer, void *home_arg)
{
	struct worker *w = home_arg;

	if (w->stopping)
		return;
	retain_sweep(w->server->retain, w->home.now_ms, SWEEP_NODES);
	home_timer_arm(&w->home, timer, SWEEP_INTERVAL_MS);
}

static void on_start(struct post *post, void *home_arg)
{
	struct sweep *sweep = container_of(post, struct sweep, start);

	on_timer(&sweep->timer, home_arg);
}

void sweep_start(struct server *server)
{
	struct sweep *sweep = xnew(sweep);

	sweep->timer.fire = on_timer;
	sweep->start.run = on_start;
	server->sweep = sweep;
	home_post(&server->workers[0]->home, &sweep->start);
}

void sweep_free(struct sweep *sweep)
{
	free(sweep);
}
