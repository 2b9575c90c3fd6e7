/* Workers with what routing has of them, driven by the test: no threads, no connections. */
#ifndef ROUTING_FIXTURE_H
#define ROUTING_FIXTURE_H

#include "worker/shared.h"
#include "worker/worker.h"

#define FIXTURE_WORKERS 2

struct routing_fixture {
	struct config_snapshot *snapshot;
	struct shared *shared;
	struct worker *workers[FIXTURE_WORKERS];
};

/* `on_open`: see router_init. */
void routing_fixture_init(struct routing_fixture *f, void (*on_open)(struct worker *w));
/* Worker 0 is entered between the two. */
void routing_fixture_fini(struct routing_fixture *f);
/* Enter this worker, and leave the one that was entered. */
void routing_fixture_enter(struct worker *w);
/* The tasks in its mailbox. */
void routing_fixture_run_tasks(struct worker *w);

#endif
