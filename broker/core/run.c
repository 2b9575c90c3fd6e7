/* The broker's life on one page: bind, start the workers, run, and stop in the order of design.md
 * section 6. Each stage of the stop is a post to every worker; main goes on when all have answered.
 * Thread: main's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/thread.h"
#include "core/notify.h"
#include "core/server.h"
#include "core/stop.h"
#include "net/listener.h"
#include "net/loop.h"

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

struct worker_thread {
	struct thread thread;
	struct worker *worker;
	struct post open; /* its listeners */
	int *fds;         /* one per listener, -1: none here */
	struct run *run;
};

struct run {
	struct home home;
	struct loop *loop;
	struct server *server;
	struct policy *policy;
	struct worker_thread *threads;
	struct timer expiry_timer;
	struct stop *stop;
	struct post opened;
	_Atomic unsigned still_opening;
	int status;
};

/* --- listeners --- */

static void on_accept(void *arg, struct stream *stream)
{
	conn_accept(arg, stream);
}

static void on_open(struct post *post, void *home_arg)
{
	struct worker_thread *t = container_of(post, struct worker_thread, open);
	struct worker *w = home_arg;
	const struct conf *conf = w->policy->conf;

	w->listener_count = conf->listener_count;
	w->listeners = xcalloc(conf->listener_count, sizeof(struct listener *));
	for (size_t i = 0; i < conf->listener_count; i++) {
		struct listener_settings settings = {
		    .conf = &conf->listeners[i], .index = (unsigned)i, .tls = w->policy->tls[i]};

		if (t->fds[i] >= 0)
			w->listeners[i] =
			    listener_open(w->loop, t->fds[i], &settings, on_accept, w);
	}
	if (atomic_fetch_sub(&t->run->still_opening, 1) == 1)
		home_post(&t->run->home, &t->run->opened);
}

static void log_listening(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		LOG(LISTENING, F_STR("bind", l->bind), F_STR("protocol", "mqtt"),
		    F_STR("tls", l->is_unix                 ? "none"
		                 : l->tls.min_version == 13 ? "1.3"
		                                            : "1.2 and up"));
	}
}

static void on_opened(struct post *post, void *home_arg)
{
	struct run *run = home_arg;

	(void)post;
	log_listening(run->policy->conf);
	LOG(READY, F_NUM("listeners", run->policy->conf->listener_count));
	notify_ready();
}

/* All sockets are bound before anything runs: one that cannot be is an error of the start. */
static bool bind_one(struct run *run, size_t index, struct errors *errors)
{
	const struct conf *conf = run->policy->conf;
	const struct conf_listener *l = &conf->listeners[index];
	unsigned sockets = l->is_unix ? 1 : run->server->worker_count;
	uint16_t port = l->port;

	for (unsigned w = 0; w < sockets; w++) {
		int fd = listener_bind(l, &port, w == 0, errors, conf->path);

		if (fd < 0)
			return false;
		run->threads[w].fds[index] = fd;
	}
	return true;
}

static bool bind_all(struct run *run)
{
	struct errors errors = {0};
	bool ok = true;

	for (size_t i = 0; i < run->policy->conf->listener_count; i++)
		ok = bind_one(run, i, &errors) && ok;
	errors_log(&errors);
	errors_fini(&errors);
	return ok;
}

/* --- threads --- */

static void *worker_main(void *arg)
{
	struct worker_thread *t = arg;

	loop_run(t->worker->loop);
	return NULL;
}

static int start_threads(struct run *run)
{
	int failed = 0;

	for (unsigned i = 0; i < run->server->worker_count && failed == 0; i++) {
		struct worker *w = run->server->workers[i];

		w->loop = loop_new(&w->home, &failed);
	}
	for (unsigned i = 0; i < run->server->worker_count && failed == 0; i++) {
		struct worker_thread *t = &run->threads[i];
		char name[24];

		t->worker = run->server->workers[i];
		snprintf(name, sizeof(name), "worker-%u", i);
		failed = thread_start(&t->thread, name, worker_main, t);
	}
	return failed;
}

static void open_listeners(struct run *run)
{
	atomic_store(&run->still_opening, run->server->worker_count);
	run->opened.run = on_opened;
	for (unsigned i = 0; i < run->server->worker_count; i++) {
		struct worker_thread *t = &run->threads[i];

		t->run = run;
		t->open.run = on_open;
		home_post(&t->worker->home, &t->open);
	}
}

/* --- main's own loop --- */

static void on_stop_signal(void *arg, int signum)
{
	struct run *run = arg;

	if (run->stop != NULL)
		return;
	LOG(STOPPING, F_STR("signal", strsignal(signum)));
	notify_stopping();
	home_timer_disarm(&run->home, &run->expiry_timer);
	loop_signals_close(run->loop);
	run->stop = stop_start(run->server, &run->home, run->loop);
}

static void on_audit_signal(void *arg, int signum)
{
	int failed = log_audit_reopen();

	(void)arg;
	(void)signum;
	if (failed != 0)
		LOG(CONFIG_ERROR, F_STR("where", "log.audit"), F_STR("error", strerror(-failed)));
}

static void on_expiry_timer(struct timer *timer, void *home_arg)
{
	struct run *run = home_arg;

	for (size_t i = 0; i < run->policy->conf->listener_count; i++) {
		if (run->policy->tls[i] != NULL)
			tls_context_log_expiry(run->policy->tls[i]);
	}
	home_timer_arm(&run->home, timer, DAY_MS);
}

static int watch_signals(struct run *run)
{
	int failed = loop_on_signal(run->loop, SIGTERM, on_stop_signal, run);

	if (failed == 0)
		failed = loop_on_signal(run->loop, SIGINT, on_stop_signal, run);
	if (failed == 0)
		failed = loop_on_signal(run->loop, SIGUSR1, on_audit_signal, run);
	return failed;
}

static struct run *run_new(struct policy *policy)
{
	struct run *run = xnew(run);
	unsigned workers = policy->conf->workers;

	run->policy = policy;
	run->server = server_new(policy, workers, journal_memory_new());
	run->threads = xcalloc(workers, sizeof(*run->threads));
	for (unsigned i = 0; i < workers; i++) {
		run->threads[i].fds =
		    xrealloc_array(NULL, policy->conf->listener_count, sizeof(int));
		for (size_t l = 0; l < policy->conf->listener_count; l++)
			run->threads[i].fds[l] = -1;
	}
	home_init(&run->home, workers, NULL, run);
	run->expiry_timer.fire = on_expiry_timer;
	return run;
}

static void run_free(struct run *run)
{
	unsigned workers = run->server->worker_count;

	stop_free(run->stop);
	for (unsigned i = 0; i < workers; i++) {
		if (run->server->workers[i]->loop != NULL)
			loop_free(run->server->workers[i]->loop);
		free(run->threads[i].fds);
	}
	if (run->loop != NULL)
		loop_free(run->loop);
	home_fini(&run->home);
	server_free(run->server);
	free(run->threads);
	free(run);
}

static int fail_start(struct run *run, const char *what, int error)
{
	LOG(LISTEN_FAILED, F_STR("bind", what), F_STR("error", strerror(-error)),
	    F_STR("remedy", "see the limits of this process (ulimit -a)"));
	run_free(run);
	return 1;
}

int server_run(struct policy *policy)
{
	struct run *run;
	int failed = 0;

	net_raise_file_limit();
	run = run_new(policy);
	LOG(STARTING, F_STR("version", VAKT_VERSION), F_NUM("workers", run->server->worker_count),
	    F_STR("config", policy->conf->path));
	if (!bind_all(run)) {
		run_free(run);
		return 2;
	}
	run->loop = loop_new(&run->home, &failed);
	if (run->loop == NULL || (failed = watch_signals(run)) != 0)
		return fail_start(run, "event loop", failed);
	run->server->authenticator = authenticator_new(run->server->worker_count > 1 ? 2 : 1);
	if (run->server->authenticator == NULL)
		return fail_start(run, "hash threads", -EAGAIN);
	failed = start_threads(run);
	REQUIRE(failed == 0);
	open_listeners(run);
	home_update_now(&run->home);
	home_timer_arm(&run->home, &run->expiry_timer, 0);
	loop_run(run->loop);
	for (unsigned i = 0; i < run->server->worker_count; i++)
		thread_join(&run->threads[i].thread);
	run_free(run);
	LOG(STOPPED, F_NONE);
	return 0;
}
