/* What the clients of a thread have in common. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/require.h"

void run_fail(struct bench_run *r, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&r->lock);
	if (!atomic_load(&r->failed)) {
		va_start(args, format);
		(void)vsnprintf(r->failure, sizeof(r->failure), format, args);
		va_end(args);
	}
	atomic_store(&r->failed, true);
	pthread_mutex_unlock(&r->lock);
}

struct run_thread *run_thread_of(const struct link *l)
{
	return container_of(l->pool, struct run_thread, pool);
}

void run_on_closed(struct link *l, const char *why)
{
	if (why != NULL)
		run_fail(run_thread_of(l)->run, "%s: %s", l->id, why);
}

void run_serve(struct run_thread *t, uint64_t until_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	REQUIRE(t->tick != NULL);
	if (now_ns >= t->tick_ns)
		t->tick(t, now_ns);
	link_pool_turn(&t->pool, until_ns < t->tick_ns ? until_ns : t->tick_ns);
}
