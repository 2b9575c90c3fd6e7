/* The broker's life on one page: start, run, stop. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/control/control_query.h"
#include "admin/control/control_remote.h"
#include "admin/control/control_socket.h"
#include "admin/control/control_topic.h"
#include "admin/sys_topics.h"
#include "audit/audit_log.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/thread.h"
#include "durability/record_codec.h"
#include "journal/journal_disk.h"
#include "journal/journal_memory.h"
#include "net/listener.h"
#include "net/loop.h"
#include "program/audit_file.h"
#include "server/clock_watch.h"
#include "server/config_check.h"
#include "server/expire_retained.h"
#include "server/issued_certificates.h"
#include "server/reload.h"
#include "server/restore.h"
#include "server/service_notify.h"
#include "server/service_watchdog.h"
#include "server/stop.h"
#include "server/workers.h"
#include "store/store_open.h"
#include "tree/topic_owners.h"

#define DAY_MS         ((uint64_t)24 * 3600 * 1000)
#define AUDIT_RETRY_MS 1000

struct worker_thread {
	struct thread thread;
	struct worker *worker;
};

struct run {
	struct executor executor;
	struct loop *loop;
	struct shared *shared;
	struct reloader *reloader;
	struct worker_thread *threads;
	struct timer expiry_timer;
	struct timer
	    audit_timer; /* the file could not be opened again, for a cause that may pass */
	struct clock_watch *clock_watch;
	struct service_watchdog *watchdog; /* NULL: nobody wants it */
	struct control control;
	struct control_socket *control_socket; /* NULL: not configured */
	struct sys *sys;
	struct expire_retained *expiry;
	struct stop *stop;
	bool opened; /* all workers listen */
	bool stop_asked;
};

/* --- listeners --- */

static void log_listening(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		LOG(LISTENING, .bind = l->bind, .protocol = listener_protocol_text(l),
		    .tls = listener_tls_text(l));
	}
}

static void begin_stop(struct run *run)
{
	run->stop = stop_start(run->shared, &run->executor, run->loop);
}

static void on_opened(void *arg)
{
	struct run *run = arg;
	const struct conf *conf = reload_snapshot(run->reloader)->conf;

	run->opened = true;
	if (run->stop_asked) {
		begin_stop(run);
		return;
	}
	log_listening(conf);
	LOG(READY, .listeners = conf->listener_count);
	service_notify_ready();
	service_watchdog_start(run->watchdog);
}

/* --- threads --- */

static void *worker_main(void *arg)
{
	struct worker_thread *t = arg;

	loop_run(t->worker->loop);
	return NULL;
}

static int make_loops(struct run *run)
{
	int failed = 0;

	for (unsigned i = 0; i < run->shared->worker_count && failed == 0; i++) {
		struct worker *w = run->shared->workers[i];

		w->loop = loop_new(&w->executor, &failed);
	}
	return failed;
}

static void start_threads(struct run *run)
{
	for (unsigned i = 0; i < run->shared->worker_count; i++) {
		struct worker_thread *t = &run->threads[i];
		char name[24];

		t->worker = run->shared->workers[i];
		snprintf(name, sizeof(name), "worker-%u", i);
		REQUIRE(thread_start(&t->thread, name, worker_main, t) == 0);
	}
}

/* --- main's own loop --- */

static void on_stop_signal(void *arg, int signum)
{
	struct run *run = arg;
	sigset_t signals;

	if (run->stop_asked)
		return;
	run->stop_asked = true;
	LOG(STOPPING, .signal = strsignal(signum));
	service_notify_stopping();
	reload_stop(run->reloader);
	control_socket_stop(run->control_socket);
	control_remote_stop(&run->control);
	executor_timer_disarm(&run->executor, &run->expiry_timer);
	executor_timer_disarm(&run->executor, &run->audit_timer);
	clock_watch_stop(run->clock_watch);
	service_watchdog_stop(run->watchdog);
	/* A second signal does not make it faster: without its watcher it would kill. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
	loop_signals_close(run->loop);
	if (run->opened)
		begin_stop(run);
}

static void on_reload_signal(void *arg, int signum)
{
	struct run *run = arg;

	(void)signum;
	reload_run(run->reloader, RELOAD_ASKED);
}

static void reopen_chain(struct run *run)
{
	int failed = audit_log_reopen();

	if (failed == 0)
		return;
	LOG(AUDIT_NOT_REOPENED, .file = reload_snapshot(run->reloader)->conf->audit_file,
	    .error = strerror(-failed));
	if (failed == -EMFILE || failed == -ENFILE || failed == -ENOMEM || failed == -ENOSPC)
		executor_timer_arm(&run->executor, &run->audit_timer, AUDIT_RETRY_MS);
}

/* Until then what is written goes into the file that was moved away. */
static void reopen_audit(struct run *run)
{
	struct errors errors = {0};
	int failed = audit_file_reopen();

	reopen_chain(run);
	if (failed == 0)
		return;
	errors_note_cause(&errors, -failed);
	config_check_explain_audit(reload_snapshot(run->reloader)->conf->log_audit, failed,
	                           errors.may_pass
	                               ? "the cause may pass: it is tried again in a second"
	                               : "mend it and send SIGUSR1 again",
	                           &errors);
	errors_log(&errors);
	if (errors.may_pass)
		executor_timer_arm(&run->executor, &run->audit_timer, AUDIT_RETRY_MS);
	errors_fini(&errors);
}

static void on_audit_signal(void *arg, int signum)
{
	(void)signum;
	reopen_audit(arg);
}

static void on_audit_timer(struct timer *timer, void *executor_arg)
{
	(void)timer;
	reopen_audit(executor_arg);
}

static void on_expiry_timer(struct timer *timer, void *executor_arg)
{
	struct run *run = executor_arg;
	const struct config_snapshot *snapshot = reload_snapshot(run->reloader);

	tls_context_log_expiry(snapshot->tls, snapshot->conf->listener_count);
	issued_certificates_log(snapshot->conf);
	executor_timer_arm(&run->executor, timer, DAY_MS);
}

/* Certificates may have become valid, or seem to have expired. */
static void on_clock_set(void *executor_arg)
{
	struct run *run = executor_arg;

	executor_timer_arm(&run->executor, &run->expiry_timer, 0);
}

static int watch_signals(struct run *run)
{
	int failed = loop_on_signal(run->loop, SIGTERM, on_stop_signal, run);

	if (failed == 0)
		failed = loop_on_signal(run->loop, SIGINT, on_stop_signal, run);
	if (failed == 0)
		failed = loop_on_signal(run->loop, SIGHUP, on_reload_signal, run);
	if (failed == 0)
		failed = loop_on_signal(run->loop, SIGUSR1, on_audit_signal, run);
	return failed;
}

/* --- the control socket --- */

static const struct config_snapshot *snapshot_in_force(void *arg)
{
	struct run *run = arg;

	return reload_snapshot(run->reloader);
}

static bool reload_asked(void *arg)
{
	struct run *run = arg;

	return reload_run(run->reloader, RELOAD_ASKED);
}

static bool previewed(void *arg, control_change_fn *change, void *to, struct errors *errors)
{
	const struct run *run = arg;

	return reload_preview(run->reloader, change, to, errors);
}

static bool new_ids_accepted(void *arg)
{
	struct run *run = arg;

	return reload_accept_new_ids(run->reloader);
}

static bool open_control(struct run *run)
{
	struct control_hooks hooks = {.arg = run,
	                              .snapshot = snapshot_in_force,
	                              .accept_new_ids = new_ids_accepted,
	                              .reload = reload_asked,
	                              .preview = previewed};
	struct errors errors = {0};
	bool ok;

	control_query_init(&run->control, &run->executor, run->shared, &hooks);
	control_topic_start(&run->control);
	ok = control_socket_start(run->loop, &run->control, &errors, &run->control_socket);
	errors_log(&errors);
	errors_fini(&errors);
	return ok;
}

/* --- the store --- */

/* NULL: it cannot be opened, and the log says why. */
static struct journal *open_journal(const struct conf *conf)
{
	struct store_options options = {.directory = conf->persistence_directory,
	                                .max_bytes = conf->persistence_max_bytes};
	struct journal_options timing = {.interval_ms = conf->persistence_interval_ms,
	                                 .expired_retention_ms = TOPIC_OWNERS_RETENTION_MS,
	                                 .deleted_is_over = record_retained_is_over};
	char text[STORE_ERROR_TEXT];
	struct store *store;

	if (conf->persistence_directory == NULL)
		return journal_memory_new();
	if (store_open(&options, text, &store) == 0) {
		if (store_upgraded_from(store) != 0)
			LOG(STORE_UPGRADED, .directory = conf->persistence_directory,
			    .from = store_upgraded_from(store), .to = STORE_FORMAT);
		return journal_disk_new(store, &timing);
	}
	LOG(STORE_REFUSED, .directory = conf->persistence_directory, .error = text);
	return NULL;
}

static bool restore(struct run *run, const struct conf *conf)
{
	uint64_t start_ms = clock_monotonic_ms();
	char text[STORE_ERROR_TEXT];
	struct restored restored;

	if (!journal_is_durable(run->shared->journal))
		return true;
	if (restore_load(run->shared, &restored, text) != 0) {
		LOG(STORE_REFUSED, .directory = conf->persistence_directory, .error = text);
		return false;
	}
	LOG(STORE_RESTORED, .directory = conf->persistence_directory, .sessions = restored.sessions,
	    .subscriptions = restored.subscriptions, .queued = restored.queued,
	    .retained = restored.retained, .wills = restored.wills,
	    .ms = clock_monotonic_ms() - start_ms);
	return true;
}

static struct run *run_new(struct config_snapshot *snapshot, struct tls_tickets *tickets,
                           struct journal *journal)
{
	struct run *run = xnew(run);
	unsigned workers = snapshot->conf->workers;

	run->shared = workers_new(snapshot, workers, journal);
	run->threads = xcalloc(workers, sizeof(*run->threads));
	executor_init(&run->executor, workers, NULL, run);
	run->reloader = reload_new(run->shared, &run->executor, snapshot, tickets);
	run->expiry_timer.fire = on_expiry_timer;
	run->audit_timer.fire = on_audit_timer;
	run->clock_watch = clock_watch_new(&run->executor, on_clock_set);
	run->watchdog = service_watchdog_new(&run->executor);
	for (unsigned i = 0; i < workers; i++) {
		clock_watch_add(run->clock_watch, &run->shared->workers[i]->executor);
		service_watchdog_add(run->watchdog, &run->shared->workers[i]->executor);
	}
	return run;
}

static void run_free(struct run *run)
{
	unsigned workers = run->shared->worker_count;

	stop_free(run->stop);
	for (unsigned i = 0; i < workers; i++) {
		if (run->shared->workers[i]->loop != NULL)
			loop_free(run->shared->workers[i]->loop);
	}
	if (run->loop != NULL)
		loop_free(run->loop);
	control_socket_free(run->control_socket);
	control_topic_free(run->shared);
	reload_free(run->reloader);
	workers_free(run->shared);
	sys_topics_free(run->sys); /* its timer was worker 0's */
	expire_retained_free(run->expiry);
	clock_watch_free(run->clock_watch);
	service_watchdog_free(run->watchdog);
	executor_fini(&run->executor);
	free(run->threads);
	free(run);
}

/* Before any worker runs. */
static void drop_start(struct run *run)
{
	control_socket_stop(run->control_socket);
	loop_signals_close(run->loop);
	journal_stop(run->shared->journal);
	run_free(run);
}

static int fail_start(struct run *run, const char *what, int error)
{
	LOG(LISTEN_FAILED, .bind = what, .error = strerror(-error),
	    .remedy = "check the limits of this process (ulimit -a)");
	drop_start(run);
	return 1;
}

int server_run(struct config_snapshot *snapshot, struct tls_tickets *tickets)
{
	struct journal *journal;
	struct run *run;
	unsigned long file_limit = loop_raise_file_limit();
	int failed = 0;

	descriptors_set_reserve(file_limit);
	descriptors_reserve_table(snapshot->conf->limits.connections, file_limit);
	LOG(STARTING, .version = VAKT_VERSION, .workers = snapshot->conf->workers,
	    .config = snapshot->conf->path);
	journal = open_journal(snapshot->conf);
	if (journal == NULL)
		return 2;
	run = run_new(snapshot, tickets, journal);
	run->loop = loop_new(&run->executor, &failed);
	if (run->loop == NULL || (failed = watch_signals(run)) != 0)
		return fail_start(run, "event loop", failed);
	failed = make_loops(run);
	if (failed != 0)
		return fail_start(run, "event loop of a worker", failed);
	run->shared->authenticator = authenticator_new(run->shared->worker_count);
	if (run->shared->authenticator == NULL)
		return fail_start(run, "hash threads", -EAGAIN);
	identity_source_use(snapshot->identities, run->shared->authenticator);
	if (!restore(run, snapshot->conf)) {
		drop_start(run);
		return 2;
	}
	failed = journal_start(run->shared->journal);
	if (failed != 0)
		return fail_start(run, "journal thread", failed);
	if (!open_control(run) || !reload_open(run->reloader, on_opened, run)) {
		drop_start(run);
		return 2;
	}
	restore_settle(run->shared);
	run->sys = sys_topics_start(run->shared);
	run->expiry = expire_retained_start(run->shared);
	start_threads(run);
	executor_update_now(&run->executor);
	executor_timer_arm(&run->executor, &run->expiry_timer, 0);
	clock_watch_start(run->clock_watch);
	loop_run(run->loop);
	for (unsigned i = 0; i < run->shared->worker_count; i++)
		thread_join(&run->threads[i].thread);
	run_free(run);
	LOG_NO_FIELDS(STOPPED);
	return 0;
}
