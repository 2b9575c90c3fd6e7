/* A worker is put together of its parts, and the end of its turn goes through them: batches leave,
 * sessions go on, everything written goes out. */
#include "server/workers.h"

#include <stdlib.h>

#include "admin/control/control_topic.h"
#include "base/alloc.h"
#include "base/list.h"
#include "client/admission.h"
#include "client/certificate_end.h"
#include "client/client_list.h"
#include "client/conn_accept.h"
#include "client/connect/connect_session.h"
#include "client/input_drain.h"
#include "client/keep_alive.h"
#include "client/packet_dispatch.h"
#include "client/space_walk.h"
#include "client/yield.h"
#include "durability/record_batch.h"
#include "durability/store_quota.h"
#include "http/http_server.h"
#include "routing/batch.h"
#include "routing/delivery_queue.h"
#include "routing/dispatch.h"
#include "routing/local_delivery.h"
#include "routing/router.h"
#include "routing/will_publish.h"
#include "server/http_routes.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "session/memory_wait.h"
#include "session/session_attach.h"
#include "session/session_deliver.h"
#include "session/session_lifecycle.h"
#include "session/session_turn.h"
#include "session/session_work.h"
#include "worker/ordered_work.h"

/* --- the end of a turn --- */

/* As many as there are now: those that are added meanwhile may have to wait for the next turn. */
static void run_reviews(struct worker *w)
{
	struct client_link *link;
	size_t n;

	LL_COUNT2(w->output->review, link, n, next_review);
	while (n-- > 0 && (link = w->output->review) != NULL) {
		REQUIRE(link->in_review);
		w->output->review = link->next_review;
		link->in_review = false;
		input_drain_apply(conn_of(link));
	}
}

static void flush_output(struct worker *w)
{
	while (w->output->dirty != NULL) {
		struct client_link *link = w->output->dirty;

		REQUIRE(link->dirty);
		w->output->dirty = link->next_dirty;
		link->dirty = false;
		link_output_flush(link);
	}
}

static bool worker_turn_end(void *arg)
{
	struct worker *w = arg;
	struct client_list *clients = w->clients;
	bool more = false;

	REQUIRE_EXECUTOR(&w->executor);
	/* Others do not wait for those slices. (Where there is only more to read, one write is
	 * better.) */
	if (clients->admission.done != NULL || space_walk_is_pending(w) ||
	    clients->going_on != NULL)
		flush_output(w);
	if (clients->admission.done != NULL)
		more |= admission_turn(w);
	if (clients->certificate_ends.is_walking)
		more |= certificate_end_turn(w);
	if (space_walk_is_pending(w))
		more |= space_walk_turn(w);
	if (yield_is_pending(w))
		more |= yield_turn(w);
	w->turn++;
	if (session_turn_is_pending(w))
		more |= session_turn(w);
	if (w->output->review != NULL)
		run_reviews(w);
	if (record_batch_is_pending(w))
		record_batch_flush(w);
	batch_send_all(w);
	flush_output(w);
	while (clients->leaving != NULL) {
		struct conn_opening *opening = clients->leaving;

		REQUIRE(opening->moving_to != NULL);
		clients->leaving = opening->next_leaving;
		conn_accept_at_owner(opening->conn);
	}
	worker_begin_turn(w);
	if (dispatch_waits(w)) {
		/* Last: what others are owed has left. What this writes leaves with the next turn.
		 */
		dispatch_turn(w);
		more = true;
	}
	if (http_server_has_work(w->http))
		more |= http_server_turn(w);
	return more || w->output->review != NULL || yield_is_pending(w);
}

/* --- what goes on --- */

static void on_open(struct worker *w)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE (w->clients->conns, c, next) {
		if ((c->link.pauses & PAUSE_PRESSURE) == 0)
			continue;
		yield_begin(c); /* one after the other */
		conn_resume(c, PAUSE_PRESSURE);
	}
}

/* The journal has space again (journal_space_fn). */
static void on_space(void *executor_arg)
{
	space_walk_start(executor_arg);
}

static void on_ack_failed(struct client_link *link)
{
	conn_close(conn_of(link), CLOSE_ACK_FAILED);
}

static void on_output_paused(struct client_link *link)
{
	keep_alive_watch_output(conn_of(link));
}

static void on_unblocked(struct client_link *link)
{
	if (link->session == NULL)
		return;
	session_deliver_waiting(link->session);
	session_deliver_wake_replay(link->session);
}

/* In a later turn: others have waited too. */
static void on_fan_out_done(struct client_link *link)
{
	struct conn *c = conn_of(link);

	if ((link->pauses & PAUSE_FAN_OUT) == 0)
		return;
	yield_begin(c);
	conn_resume(c, PAUSE_FAN_OUT);
}

static void on_share_returned(struct session *s, struct msg *msg, const struct target_item *item)
{
	dispatch_next_member(s->worker, msg, item, s->id);
}

static const struct session_upcalls upcalls = {
    .check_admission = admission_check,
    .on_ack_failed = on_ack_failed,
    .on_unblocked = on_unblocked,
    .on_output_paused = on_output_paused,
    .on_taken_over = connect_session_taken_over,
    .on_link_ends = control_topic_forget,
    .on_fan_out_done = on_fan_out_done,
    .on_control_request = control_topic_request,
    .on_will_due = will_publish,
    .on_share_returned = on_share_returned,
};

/* --- beginning and end --- */

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	executor_enter(&w->executor);
	http_server_fini(w);
	client_list_fini(w);
	ordered_work_fini(w, ORDERED_POSITIONS);
	ordered_work_fini(w, ORDERED_PUBLISHES);
	delivery_queue_fini(w);
	session_turn_fini(w);
	memory_wait_fini(w);
	session_lifecycle_fini(w);
	record_batch_fini(w);
	router_fini(w);
	link_output_fini(w);
	executor_leave();
	worker_fini(w);
	free(w);
}

struct shared *workers_new(struct config_snapshot *snapshot, unsigned workers,
                           struct journal *journal)
{
	struct shared *shared = shared_new(workers, journal);
	struct executor *executors[ROUTE_EXECUTORS_MAX];

	for (unsigned i = 0; i < workers; i++) {
		struct worker *w = xnew(w);

		worker_init(w, shared, i, snapshot, worker_turn_end);
		executor_enter(&w->executor);
		w->upcalls = &upcalls;
		record_batch_init(w);
		link_output_init(w);
		session_lifecycle_init(w);
		w->sessions->attach = session_attach_here;
		memory_wait_init(w);
		router_init(w, on_open);
		delivery_queue_init(w);
		client_list_init(w);
		http_server_init(w, http_routes, http_route_count);
		conn_accept_init(w);
		executor_leave();
		shared->workers[i] = w;
		executors[i] = &shared->workers[i]->executor;
	}
	journal_on_queued(journal, dispatch_on_queued);
	journal_on_notified(journal, dispatch_on_notified);
	journal_on_space(journal, executors, workers, on_space);
	store_quota_begin(shared);
	store_quota_set(shared, snapshot);
	return shared;
}

void workers_free(struct shared *shared)
{
	if (shared == NULL)
		return;
	for (unsigned i = 0; i < shared->worker_count; i++)
		worker_free(shared->workers[i]);
	shared_free(shared);
}
