/* A worker's own state, and the end of its turn: batches leave, replays go on, everything written
 * goes out. */
#include "worker/worker.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/list.h"
#include "base/random.h"
#include "client/admission.h"
#include "client/deferred_publish.h"
#include "client/yield.h"
#include "durability/record_batch.h"
#include "session/memory_wait.h"
#include "session/session_work.h"
#include "tree/route_match.h"
#include "worker/shared.h"

#define SPARE_BUF_MAX  ((size_t)65536)
#define SPARE_BUFS_MAX ((size_t)1 << 20) /* of all of them */

/* As many as there are now: those that are added meanwhile may have to wait for the next turn. */
static void run_reviews(struct worker *w)
{
	struct conn *c;
	size_t n;

	LL_COUNT2(w->review, c, n, next_review);
	while (n-- > 0 && (c = w->review) != NULL) {
		w->review = c->next_review;
		c->in_review = false;
		input_limit_apply(c);
	}
}

static bool worker_turn_end(void *arg)
{
	struct worker *w = arg;
	bool more = w->admission.done != NULL && admission_turn(w);

	if (w->yielding != NULL)
		more |= yield_turn(w);
	w->turn++;
	if (w->working != NULL || w->ended != NULL)
		more |= session_work_turn(w);
	if (w->review != NULL)
		run_reviews(w);
	if (w->pending_records != NULL)
		record_batch_flush(w);
	dispatch_flush(w);
	w->encoded.msg = NULL;
	while (w->dirty != NULL) {
		struct conn *c = w->dirty;

		w->dirty = c->next_dirty;
		c->dirty = false;
		conn_flush(c);
	}
	while (w->leaving != NULL) {
		struct conn *c = w->leaving;

		w->leaving = c->next_leaving;
		conn_leave(c);
	}
	return more || w->review != NULL || w->yielding != NULL;
}

static void resume_all(struct worker *w, enum conn_pause why)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE (w->conns, c, next) {
		if ((c->pauses & why) == 0)
			continue;
		conn_yield(c); /* one after the other */
		conn_resume(c, why);
	}
}

static void on_low(struct task *task, void *executor_arg)
{
	struct flow *flow = container_of(task, struct flow, low);
	struct worker *w = executor_arg;

	atomic_store(&flow->state, FLOW_OPEN);
	w->stalled--;
	dispatch_stall(w, flow); /* filled again while this was on its way */
	if (w->stalled == 0)
		resume_all(w, CONN_PAUSE_PRESSURE);
}

void worker_on_space(void *executor_arg)
{
	struct worker *w = executor_arg;
	struct conn *c, *next;

	DL_FOREACH_SAFE (w->conns, c, next) {
		if (c->session != NULL)
			replay_wake(c->session);
		if (!conn_waits(c) && (c->pauses & CONN_PAUSE_STORE) == 0)
			continue;
		c->limit.journal_full =
		    c->limit.journal_full && journal_is_full(w->server->journal);
		deferred_publish_continue(c);
		input_limit_apply(c);
	}
}

struct worker *worker_new(struct server *server, unsigned index, struct config_snapshot *snapshot)
{
	struct worker *w = xnew(w);

	w->server = server;
	w->is_durable = journal_is_durable(server->journal);
	w->snapshot = config_snapshot_ref(snapshot);
	w->turn_steps = WORKER_TURN_STEPS;
	w->listeners = xcalloc(LISTENER_IDS_MAX, sizeof(struct listener *));
	w->outbox = xcalloc(server->worker_count, sizeof(*w->outbox));
	w->flows = aligned_alloc(64, server->worker_count * sizeof(*w->flows));
	REQUIRE(w->flows != NULL);
	for (unsigned i = 0; i < server->worker_count; i++)
		w->flows[i] = (struct flow){.low.run = on_low, .from = w};
	/* Session ids are never used again, not even by the next process: they begin at a random
	 * place. */
	w->next_session = ((uint64_t)(index + 1) << 56) | (random_u64() >> 12);
	memory_wait_init(w);
	executor_init(&w->executor, index, worker_turn_end, w);
	return w;
}

static void free_tables(struct worker *w)
{
	struct table_walk walk = table_walk_of(&w->sessions);
	struct session *s;

	while ((s = table_walk_next(&walk)) != NULL)
		session_free(s);
	session_work_free_ended(w);
	REQUIRE(w->filters.count == 0);
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	REQUIRE(w->conns == NULL);
	free_tables(w);
	for (unsigned i = 0; i < w->spare_count; i++)
		buf_fini(&w->spare[i]);
	journal_group_free(w->pending_records);
	buf_fini(&w->encoded.bytes);
	route_match_fini(&w->match);
	free(w->merges);
	free(w->ids);
	acl_subject_free(w->writer_subject);
	origin_unref(&w->writer_origin);
	free(w->outbox);
	free(w->flows);
	free(w->listeners);
	config_snapshot_unref(&w->snapshot);
	executor_fini(&w->executor);
	free(w);
}

void worker_mark_dirty(struct worker *w, struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = w->dirty;
	w->dirty = c;
}

void worker_review(struct worker *w, struct conn *c)
{
	if (c->in_review)
		return;
	c->in_review = true;
	LL_PREPEND2(w->review, c, next_review);
}

struct buf worker_take_buf(struct worker *w)
{
	struct buf b = {0};

	if (w->spare_count > 0)
		b = w->spare[--w->spare_count];
	w->spare_bytes -= b.cap;
	return b;
}

void worker_give_buf(struct worker *w, struct buf *b)
{
	const size_t max = sizeof(w->spare) / sizeof(w->spare[0]);

	buf_clear(b);
	if (b->cap > SPARE_BUF_MAX || w->spare_bytes + b->cap > SPARE_BUFS_MAX ||
	    w->spare_count == max) {
		buf_fini(b);
	} else if (b->cap > 0) {
		w->spare[w->spare_count++] = *b;
		w->spare_bytes += b->cap;
	}
	*b = (struct buf){0};
}

void worker_stall(struct worker *w, struct conn *c)
{
	if (w->stalled > 0)
		conn_pause(c, CONN_PAUSE_PRESSURE);
}

const struct conf_listener *worker_listener(const struct worker *w, unsigned slot)
{
	const struct conf_listener *l = config_snapshot_listener(w->snapshot, slot);

	REQUIRE(l != NULL); /* connections of a listener that is gone are refused (admission.c) */
	return l;
}

const struct conf_limits *worker_limits(const struct worker *w, const struct conn *c)
{
	const struct conf_listener *l =
	    config_snapshot_listener(w->snapshot, stream_listener(c->stream));

	return l == NULL ? &w->snapshot->conf->limits : &l->limits;
}
