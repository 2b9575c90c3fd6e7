/* A timer of worker 0 that calls retain_expire. */
#include "server/expire_retained.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define LOG_MS 10000

struct expire_retained {
	struct task start;
	struct timer timer;
	uint64_t expired; /* as it was logged */
	uint64_t logged_ms;
};

/* Not a line for each: values may expire all the time. */
static void report(struct expire_retained *expiry, struct worker *w)
{
	struct retain_counts counts;

	if (w->executor.now_ms - expiry->logged_ms < LOG_MS)
		return;
	retain_count(w->shared->retain, &counts);
	if (counts.expired == expiry->expired)
		return;
	LOG(RETAINED_EXPIRED, .expired = counts.expired - expiry->expired);
	expiry->expired = counts.expired;
	expiry->logged_ms = w->executor.now_ms;
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct worker *w = executor_arg;

	if (w->stopping)
		return;
	retain_expire(w->shared->retain, w->executor.now_ms, EXPIRE_RETAINED_NODES);
	report(container_of(timer, struct expire_retained, timer), w);
	executor_timer_arm(&w->executor, timer, EXPIRE_RETAINED_INTERVAL_MS);
}

static void on_start(struct task *task, void *executor_arg)
{
	struct expire_retained *expiry = container_of(task, struct expire_retained, start);

	on_timer(&expiry->timer, executor_arg);
}

struct expire_retained *expire_retained_start(struct shared *shared)
{
	struct expire_retained *expiry = xnew(expiry);

	expiry->timer.fire = on_timer;
	expiry->start.run = on_start;
	executor_send(&shared->workers[0]->executor, &expiry->start);
	return expiry;
}

void expire_retained_free(struct expire_retained *expiry)
{
	free(expiry);
}
