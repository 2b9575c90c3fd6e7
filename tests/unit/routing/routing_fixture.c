/* See routing_fixture.h. */
#include "routing_fixture.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "journal/journal_memory.h"
#include "routing/delivery_queue.h"
#include "routing/router.h"
#include "session/session_lifecycle.h"

void routing_fixture_init(struct routing_fixture *f, void (*on_open)(struct worker *w))
{
	f->snapshot = config_snapshot_new(1);
	f->shared = shared_new(FIXTURE_WORKERS, journal_memory_new());
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
		struct worker *w = xnew(w);

		worker_init(w, f->shared, i, f->snapshot, NULL);
		f->shared->workers[i] = f->workers[i] = w;
	}
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
		executor_enter(&f->workers[i]->executor);
		session_lifecycle_init(f->workers[i]);
		router_init(f->workers[i], on_open);
		delivery_queue_init(f->workers[i]);
		executor_leave();
	}
	executor_enter(&f->workers[0]->executor);
}

void routing_fixture_enter(struct worker *w)
{
	executor_leave();
	executor_enter(&w->executor);
}

void routing_fixture_run_tasks(struct worker *w)
{
	routing_fixture_enter(w);
	while (mailbox_drain(&w->executor.mailbox, 100, w))
		;
}

void routing_fixture_fini(struct routing_fixture *f)
{
	executor_leave();
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
		struct worker *w = f->workers[i];

		executor_enter(&w->executor);
		delivery_queue_fini(w);
		session_lifecycle_fini(w);
		router_fini(w);
		executor_leave();
		worker_fini(w);
		free(w);
	}
	shared_free(f->shared);
	config_snapshot_unref(&f->snapshot);
}
