/* A worker swaps its snapshot, and checks every connection against the new one (admission.h).
 * Nothing else needs to be checked again: each publish, delivery and will asks the rules of its
 * moment. */
#include "server/config_apply.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/require.h"
#include "client/admission.h"
#include "client/client_list.h"
#include "client/conn_accept.h"
#include "durability/store_quota.h"
#include "http/http_conn.h"
#include "http/http_server.h"
#include "net/listener.h"

struct config_application_step {
	struct task task;
	struct config_application *config_application;
	struct worker *worker;
	int *fds; /* by slot */
	/* What the worker had: with many users and rules it takes long to free, which is main's. */
	struct config_snapshot *before;
};

struct config_application {
	struct executor *main_executor;
	struct config_snapshot *snapshot;
	unsigned waiting;
	config_apply_done_fn *done;
	void *arg;
	struct config_application_step steps[];
};

/* --- sockets --- */

struct config_sockets config_sockets_new(unsigned workers)
{
	struct config_sockets s = {.workers = workers};

	REQUIRE(workers > 0);
	s.fds = xcalloc(workers, sizeof(int *));
	for (unsigned w = 0; w < workers; w++) {
		s.fds[w] = xrealloc_array(NULL, LISTENER_IDS_MAX, sizeof(int));
		for (unsigned slot = 0; slot < LISTENER_IDS_MAX; slot++)
			s.fds[w][slot] = -1;
	}
	return s;
}

void config_sockets_close(struct config_sockets *s)
{
	for (unsigned w = 0; s->fds != NULL && w < s->workers; w++) {
		for (unsigned slot = 0; s->fds[w] != NULL && slot < LISTENER_IDS_MAX; slot++) {
			if (s->fds[w][slot] >= 0)
				close(s->fds[w][slot]);
		}
		free(s->fds[w]);
	}
	free(s->fds);
	s->fds = NULL;
}

/* --- on the worker: listeners --- */

static void on_accept(void *arg, struct stream *stream)
{
	struct worker *w = arg;
	const struct conf_listener *l = worker_listener(w, stream_listener(stream));

	if (l->protocol == CONF_PROTOCOL_HTTPS)
		http_conn_accept(w, stream);
	else
		conn_accept(w, stream);
}

static void apply_listener(struct worker *w, unsigned slot, int fd)
{
	const struct conf_listener *l = config_snapshot_listener(w->snapshot, slot);
	struct listener_settings settings = {.conf = l,
	                                     .index = slot,
	                                     .refused_addresses = &w->counters.refused_addresses,
	                                     .refused_proxies = &w->counters.refused_proxies};

	if (l == NULL) {
		listener_close(w->clients->listeners[slot]);
		w->clients->listeners[slot] = NULL;
		return;
	}
	settings.tls = w->snapshot->tls[w->snapshot->slots[slot]];
	if (fd >= 0) {
		w->clients->listeners[slot] = listener_open(w->loop, fd, &settings, on_accept, w);
	} else if (w->clients->listeners[slot] != NULL) {
		listener_set_conf(w->clients->listeners[slot], l);
		if (settings.tls != NULL)
			listener_set_tls(w->clients->listeners[slot], settings.tls);
	}
}

/* --- the swap --- */

static void report_done(struct config_application_step *step);

static void on_checked(void *arg)
{
	report_done(arg);
}

static void on_apply(struct task *task, void *executor_arg)
{
	struct config_application_step *step =
	    container_of(task, struct config_application_step, task);
	struct worker *w = executor_arg;

	if (w->stopping) {
		report_done(step);
		return;
	}
	step->before = w->snapshot;
	w->snapshot = config_snapshot_ref(step->config_application->snapshot);
	store_quota_set(w->shared, w->snapshot);
	for (unsigned slot = 0; slot < w->snapshot->slot_count; slot++)
		apply_listener(w, slot, step->fds == NULL ? -1 : step->fds[slot]);
	http_server_reload(w);
	admission_start(w, on_checked, step);
}

/* --- on main --- */

static void on_done(struct task *task, void *executor_arg)
{
	struct config_application_step *step =
	    container_of(task, struct config_application_step, task);
	struct config_application *a = step->config_application;

	(void)executor_arg;
	free(step->fds);
	config_snapshot_unref(&step->before);
	if (--a->waiting > 0)
		return;
	a->done(a->arg);
	config_snapshot_unref(&a->snapshot);
	free(a);
}

static void report_done(struct config_application_step *step)
{
	step->task.run = on_done;
	executor_send(step->config_application->main_executor, &step->task);
}

void config_apply_start(struct shared *shared, struct executor *main_executor,
                        struct config_snapshot *snapshot, struct config_sockets *sockets,
                        config_apply_done_fn *done, void *arg)
{
	struct config_application *a =
	    xcalloc(1, sizeof(*a) + shared->worker_count * sizeof(a->steps[0]));

	a->main_executor = main_executor;
	a->snapshot = config_snapshot_ref(snapshot);
	a->waiting = shared->worker_count;
	a->done = done;
	a->arg = arg;
	for (unsigned i = 0; i < shared->worker_count; i++) {
		struct config_application_step *step = &a->steps[i];

		step->config_application = a;
		step->worker = shared->workers[i];
		step->task.run = on_apply;
		step->fds = sockets->fds == NULL ? NULL : sockets->fds[i];
	}
	free(sockets->fds);
	sockets->fds = NULL;
	for (unsigned i = 0; i < shared->worker_count; i++)
		executor_send(&shared->workers[i]->executor, &a->steps[i].task);
}
