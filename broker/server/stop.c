/* Each stage is a task to every worker, and the next begins when all have answered. */
#include "server/stop.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "durability/record_batch.h"
#include "http/http_server.h"
#include "net/listener.h"
#include "net/loop.h"
#include "routing/dispatch.h"
#include "session/client_link.h"
#include "session/inflight/inflight_end.h"
#include "session/session_deliver.h"

/* A message of a $share group may go to one member after the other; each round lets it go one
 * worker further. */
#define FLUSH_ROUNDS 10
/* After these rounds nothing more has to be stored: the journal stops with its last commit. Its
 * completions have the other rounds. */
#define JOURNAL_STAGE 5

struct stop_step {
	struct task task;
	struct stop *stop;
	struct worker *worker;
};

struct stop {
	struct shared *shared;
	struct executor *executor; /* main's */
	struct loop *loop;
	unsigned stage;
	unsigned waiting;
	bool done;
	struct stop_step *steps;
};

typedef void stage_fn(struct stop_step *step);

static void on_step(struct task *task, void *executor_arg);
static void on_done(struct task *task, void *executor_arg);

static void report_done(struct stop_step *step)
{
	step->task.run = on_done;
	executor_send(step->stop->executor, &step->task);
}

/* Listeners and reading stop. */
static void stage_stop_reading(struct stop_step *step)
{
	struct worker *w = step->worker;
	struct conn *c, *next;

	w->stopping = true;
	for (size_t i = 0; i < LISTENER_IDS_MAX; i++) {
		if (w->clients->listeners[i] != NULL)
			listener_close(w->clients->listeners[i]);
		w->clients->listeners[i] = NULL;
	}
	http_server_stop_reading(w);
	DL_FOREACH_SAFE (w->clients->conns, c, next) {
		if (c->state == CONN_ACCEPTED)
			client_link_pause(&c->link, PAUSE_STOP);
		else
			conn_close(c, CLOSE_STOPPING);
	}
	report_done(step);
}

/* Messages between workers arrive. */
static void stage_flush(struct stop_step *step)
{
	struct conn *c;

	DL_FOREACH (step->worker->clients->conns, c) {
		if (c->link.session != NULL)
			/* mutant: qos1_without_dup_after_stop */
			inflight_end_note_sent(c->link.session);
	}
	record_batch_flush(step->worker);
	dispatch_flush(step->worker);
	report_done(step);
}

static void on_empty(void *arg)
{
	struct stop_step *step = arg;

	step->worker->clients->on_empty = NULL;
	report_done(step);
}

/* DISCONNECT to every client; done when all connections are closed. */
static void stage_close(struct stop_step *step)
{
	struct worker *w = step->worker;
	struct conn *c, *next;

	w->clients->on_empty = on_empty;
	w->clients->on_empty_arg = step;
	DL_FOREACH_SAFE (w->clients->conns, c, next) {
		conn_close(c, CLOSE_STOPPING);
	}
	http_server_close(w);
	client_list_check_empty(w);
}

static stage_fn *stage_of(unsigned stage)
{
	if (stage == 0)
		return stage_stop_reading;
	if (stage <= FLUSH_ROUNDS)
		return stage_flush;
	return stage == FLUSH_ROUNDS + 1 ? stage_close : NULL;
}

static void on_step(struct task *task, void *executor_arg)
{
	struct stop_step *step = (struct stop_step *)task;

	(void)executor_arg;
	stage_of(step->stop->stage)(step);
}

static void send_stage(struct stop *stop)
{
	stop->waiting = stop->shared->worker_count;
	for (unsigned i = 0; i < stop->shared->worker_count; i++) {
		stop->steps[i].task.run = on_step;
		executor_send(&stop->shared->workers[i]->executor, &stop->steps[i].task);
	}
}

static void on_done(struct task *task, void *executor_arg)
{
	struct stop *stop = ((struct stop_step *)task)->stop;

	(void)executor_arg;
	if (--stop->waiting > 0)
		return;
	if (stop->stage == 0 && stop->shared->authenticator != NULL)
		authenticator_stop(stop->shared->authenticator);
	if (stop->stage == JOURNAL_STAGE)
		journal_stop(stop->shared->journal);
	stop->stage++;
	if (stage_of(stop->stage) != NULL) {
		send_stage(stop);
		return;
	}
	stop->done = true;
	if (stop->loop == NULL) /* a simulation drives them */
		return;
	for (unsigned i = 0; i < stop->shared->worker_count; i++)
		loop_stop(stop->shared->workers[i]->loop);
	loop_stop(stop->loop);
}

bool stop_is_done(const struct stop *stop)
{
	return stop->done;
}

struct stop *stop_start(struct shared *shared, struct executor *main_executor, struct loop *loop)
{
	struct stop *stop = xnew(stop);

	stop->shared = shared;
	stop->executor = main_executor;
	stop->loop = loop;
	stop->steps = xcalloc(shared->worker_count, sizeof(*stop->steps));
	for (unsigned i = 0; i < shared->worker_count; i++)
		stop->steps[i] = (struct stop_step){.stop = stop, .worker = shared->workers[i]};
	send_stage(stop);
	return stop;
}

void stop_free(struct stop *stop)
{
	if (stop == NULL)
		return;
	free(stop->steps);
	free(stop);
}
