/* One commit that a connection waits for. */
#include "client/deferred_close.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/record_batch.h"
#include "journal/journal.h"

#define WAIT_MS 60000

/* Outlives the connection until its group completes. */
struct deferred_close {
	struct conn *conn; /* NULL: it is freed */
	uint64_t flush_ms;
};

void deferred_close_forget(struct conn *c)
{
	if (c->deferred_close == NULL)
		return;
	c->deferred_close->conn = NULL;
	c->deferred_close = NULL;
	executor_timer_disarm(&c->link.worker->executor, &c->timer);
}

static void on_gone(struct journal_group *group, int status, void *executor_arg)
{
	struct deferred_close *f = journal_group_context(group);
	struct conn *c = f->conn;

	(void)status;
	(void)executor_arg;
	if (c != NULL) {
		deferred_close_forget(c);
		stream_close(c->link.stream, f->flush_ms);
	}
	free(f);
}

bool deferred_close_begin(struct conn *c, uint64_t flush_ms)
{
	struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->state == CONN_CLOSING && c->deferred_close == NULL);
	if (!c->said_disconnect || w->records->group == NULL || !w->records->urgent || w->stopping)
		return false;
	c->deferred_close = xnew(c->deferred_close);
	c->deferred_close->conn = c;
	c->deferred_close->flush_ms = flush_ms;
	executor_timer_arm(&w->executor, &c->timer, WAIT_MS);
	record_batch_commit(w, on_gone, c->deferred_close);
	return true;
}

bool deferred_close_is_late(struct conn *c)
{
	if (c->deferred_close == NULL)
		return false;
	deferred_close_forget(c);
	stream_abort(c->link.stream);
	return true;
}
