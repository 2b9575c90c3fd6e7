/* A connection whose end waits for the journal. */
#include "core/farewell.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "core/keep.h"

#define WAIT_MS 60000

/* Outlives the connection until its group completes. */
struct farewell {
	struct conn *conn; /* NULL: it has gone */
	uint64_t flush_ms;
};

void farewell_forget(struct conn *c)
{
	if (c->farewell == NULL)
		return;
	c->farewell->conn = NULL;
	c->farewell = NULL;
	executor_timer_disarm(&c->worker->executor, &c->timer);
}

static void close_now(struct conn *c, uint64_t flush_ms)
{
	farewell_forget(c);
	stream_close(c->stream, flush_ms);
}

static void on_gone(struct journal_group *group, int status, void *executor_arg)
{
	struct farewell *f = journal_group_context(group);

	(void)status;
	(void)executor_arg;
	if (f->conn != NULL)
		close_now(f->conn, f->flush_ms);
	free(f);
}

bool farewell_begin(struct conn *c, uint64_t flush_ms)
{
	struct worker *w = c->worker;

	if (!c->said_disconnect || w->pending_records == NULL || !w->records_urgent || w->stopping)
		return false;
	c->farewell = xnew(c->farewell);
	c->farewell->conn = c;
	c->farewell->flush_ms = flush_ms;
	executor_timer_arm(&w->executor, &c->timer, WAIT_MS);
	record_batch_commit_for(w, on_gone, c->farewell);
	return true;
}

bool farewell_is_late(struct conn *c)
{
	if (c->farewell == NULL)
		return false;
	farewell_forget(c);
	stream_abort(c->stream);
	return true;
}
