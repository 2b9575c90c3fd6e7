/* Two phases: read, check, bind; then every worker swaps. Each change is a line of the log. */
#include "server/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/stats.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/require.h"
#include "conf/conf_diff.h"
#include "net/listener.h"
#include "net/socket_bind.h"
#include "net/tls/tls_context.h"
#include "server/config_load.h"
#include "server/file_watch.h"
#include "server/issued_certificates.h"
#include "server/set_aside.h"

#define WATCH_MS        1000
#define REPEAT_FIRST_MS 1000
#define REPEAT_LAST_MS  8000

#define DELETION_STEP_MS 5
#define LIMIT_WATCH_MS   ((uint64_t)3600 * 1000)

struct reloader {
	struct shared *shared;
	struct executor *executor;
	struct config_snapshot *snapshot;
	struct config_snapshot *replaced; /* until all workers have the new one */
	struct tls_tickets *tickets;
	char *conf_path;
	/* What keys that only a start applies were then. */
	struct conf_started *started;
	size_t changes; /* of the last one */
	struct file_watch file_watch;
	struct timer watch_timer;
	bool under_way, again, stopped;
	enum reload_cause again_cause;
	/* The last one failed for a cause that may pass. */
	struct timer repeat_timer;
	enum reload_cause repeat_cause;
	uint64_t repeat_ms; /* the last wait; 0: it did not */
	/* What is set aside: after the reload under way it is deleted, all of it or what has
	 * reached its limit. */
	bool delete_again, delete_all;
	struct timer deletion_timer, limit_timer;
	struct set_aside_deletion deletion;
	uint64_t merged, merged_ended; /* of the statistics, after the last reload */
	config_apply_done_fn *opened;
	void *opened_arg;
};

/* --- sockets of new listeners --- */

static bool bind_slot(struct reloader *r, const struct config_snapshot *next, unsigned slot,
                      struct config_sockets *sockets, struct errors *errors)
{
	const struct conf_listener *l = config_snapshot_listener(next, slot);
	unsigned count = l->is_unix ? 1 : r->shared->worker_count;
	uint16_t port = l->port;

	for (unsigned w = 0; w < count; w++) {
		int fd = socket_bind(l, &port, w == 0, errors, next->conf->path);

		if (fd < 0)
			return false;
		sockets->fds[w][slot] = fd;
	}
	return true;
}

/* The listeners that `before` (NULL: none) does not have. */
static bool bind_new(struct reloader *r, const struct config_snapshot *before,
                     const struct config_snapshot *next, struct config_sockets *sockets,
                     struct errors *errors)
{
	bool ok = true;

	for (unsigned slot = 0; slot < next->slot_count; slot++) {
		bool there = before != NULL && config_snapshot_listener(before, slot) != NULL;

		if (config_snapshot_listener(next, slot) != NULL && !there)
			ok = bind_slot(r, next, slot, sockets, errors) && ok;
	}
	return ok;
}

/* --- Unix sockets that stay --- */

static bool differs(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

/* Owner, group and mode decide who may connect: they do not wait for a restart. */
static bool permit_anew(const struct config_snapshot *before, const struct config_snapshot *next,
                        struct errors *errors)
{
	bool ok = true;

	for (unsigned slot = 0; slot < before->slot_count; slot++) {
		const struct conf_listener *old = config_snapshot_listener(before, slot);
		const struct conf_listener *now = config_snapshot_listener(next, slot);

		if (old == NULL || now == NULL || !now->is_unix)
			continue;
		if (old->mode != now->mode || differs(old->owner, now->owner) ||
		    differs(old->group, now->group))
			ok = socket_bind_permit(now, errors, next->conf->path) == 0 && ok;
	}
	return ok;
}

/* --- the swap --- */

static void release_owner(void *arg, struct slice key)
{
	struct shared *shared = arg;

	if (!set_aside_has(shared, key))
		retain_release_owner(shared->retain, key);
}

static bool begin_deletion(struct reloader *r, bool all);

/* --- what is set aside --- */

static void on_delete_values(struct timer *timer, void *executor_arg)
{
	struct reloader *r = container_of(timer, struct reloader, deletion_timer);

	(void)executor_arg;
	if (set_aside_delete_values(r->shared, r->executor, &r->deletion)) {
		executor_timer_arm(r->executor, timer, DELETION_STEP_MS);
		return;
	}
	LOG(SET_ASIDE_DELETED, .retained = r->deletion.deleted);
	r->deletion = (struct set_aside_deletion){0};
}

static void watch_limit(struct reloader *r);

static void on_limit(struct timer *timer, void *executor_arg)
{
	struct reloader *r = container_of(timer, struct reloader, limit_timer);

	(void)timer;
	(void)executor_arg;
	if (!begin_deletion(r, false))
		watch_limit(r);
}

/* The clock may be set meanwhile: it is asked at least once an hour. */
static void watch_limit(struct reloader *r)
{
	uint64_t wait_ms = set_aside_next_limit_ms(r->shared, r->executor);

	executor_timer_disarm(r->executor, &r->limit_timer);
	if (wait_ms != UINT64_MAX && !r->stopped)
		executor_timer_arm(r->executor, &r->limit_timer,
		                   wait_ms < LIMIT_WATCH_MS ? wait_ms : LIMIT_WATCH_MS);
}

/* All workers have the snapshot: their sessions have followed. */
static void settle_set_aside(struct reloader *r)
{
	struct stats now;

	set_aside_finish(r->shared, r->executor);
	set_aside_log(r->shared);
	stats_take(r->shared, &now);
	if (r->shared->restored_users > 0)
		LOG(USER_IDS_RESTORED, .users = r->shared->restored_users,
		    .sessions_moved = now.sessions_merged - r->merged,
		    .sessions_ended = now.sessions_merged_ended - r->merged_ended);
	r->shared->restored_users = 0;
	r->merged = now.sessions_merged;
	r->merged_ended = now.sessions_merged_ended;
	if (user_ids_count_state(r->shared->user_ids, USER_ID_DELETED) > 0 &&
	    !timer_is_armed(&r->deletion_timer) && !r->stopped)
		executor_timer_arm(r->executor, &r->deletion_timer, 0);
	watch_limit(r);
}

static void on_adopted(void *arg)
{
	struct reloader *r = arg;

	r->under_way = false;
	settle_set_aside(r);
	/* Not before: a removed user may have written, and owned it, on a worker that was not
	 * asked yet. */
	identity_source_each_removed(r->replaced->identities, r->snapshot->identities,
	                             release_owner, r->shared);
	config_snapshot_unref(&r->replaced);
	LOG(RELOADED, .generation = r->snapshot->generation,
	    .users = identity_source_count(r->snapshot->identities),
	    .roles = acl_role_count(r->snapshot->acl), .rules = acl_rule_count(r->snapshot->acl),
	    .listeners = r->snapshot->conf->listener_count, .changes = r->changes);
	tls_context_log_expiry(r->snapshot->tls, r->snapshot->conf->listener_count);
	issued_certificates_log(r->snapshot->conf);
	if (r->stopped)
		return;
	if (r->delete_again) {
		r->delete_again = false;
		if (begin_deletion(r, r->delete_all))
			return;
	}
	if (!r->again)
		return;
	r->again = false;
	reload_run(r, r->again_cause);
}

/* For the figure in $SYS. */
static void note_certificates(struct reloader *r)
{
	atomic_store(&r->shared->certificate_until_s,
	             tls_context_first_end(r->snapshot->tls, r->snapshot->conf->listener_count));
}

/* Takes over `next`. */
static void apply(struct reloader *r, struct config_snapshot *next, struct config_sockets *sockets)
{
	r->changes = config_diff_log(r->snapshot, next);
	log_set_level(next->conf->log_level);
	log_set_areas((const char *const *)next->conf->log_areas.items,
	              next->conf->log_areas.count);
	log_set_json(next->conf->log_json);
	r->replaced = r->snapshot;
	r->snapshot = next;
	file_watch_take(&r->file_watch, next);
	note_certificates(r);
	if (r->shared->authenticator != NULL)
		identity_source_use(next->identities, r->shared->authenticator);
	r->under_way = true;
	set_aside_begin(r->shared, r->executor, next);
	LOG(RELOAD_STEP, .step = "the configuration is sent to the workers");
	config_apply_start(r->shared, r->executor, next, sockets, on_adopted, r);
}

/* True: there was something to delete. A reload that is under way comes first. */
static bool begin_deletion(struct reloader *r, bool all)
{
	struct config_sockets none = {0};

	if (r->stopped)
		return false;
	if (r->under_way) {
		r->delete_all = all || (r->delete_again && r->delete_all);
		r->delete_again = true;
		return true;
	}
	if (!set_aside_delete(r->shared, r->executor, all))
		return false;
	apply(r, config_load_renew(r->snapshot, NULL, NULL), &none);
	return true;
}

bool reload_accept_new_ids(struct reloader *r)
{
	return r->shared->set_aside_users > 0 && begin_deletion(r, true);
}

/* --- what never waits: users and revocations, with the ACL in force --- */

static bool revocations_changed(struct reloader *r)
{
	const struct conf *conf = r->snapshot->conf;

	for (size_t i = 0; i < conf->listener_count; i++) {
		const char *crl = conf->listeners[i].tls.client_crl;

		if (crl != NULL && file_watch_has_changed(&r->file_watch, crl))
			return true;
	}
	return false;
}

static bool apply_parts(struct reloader *r)
{
	struct errors errors = {0}; /* logged already, with the errors of the whole */
	struct identity_source *identities = identity_source_load(r->snapshot->conf, &errors);
	struct tls_context **tls = NULL;
	struct config_sockets none = {0};

	if (identities != NULL && identity_source_equal(r->snapshot->identities, identities))
		identity_source_unref(&identities);
	if (revocations_changed(r))
		tls = config_load_revocations(r->snapshot, &errors);
	errors_fini(&errors);
	if (identities == NULL && tls == NULL)
		return false;
	LOG(RELOAD_PARTIAL, .what = identities == NULL ? "client_ca and client_crl"
	                            : tls == NULL      ? "users"
	                                               : "users, client_ca and client_crl");
	apply(r, config_load_renew(r->snapshot, identities, tls), &none);
	return true;
}

/* --- one reload --- */

struct pending {
	struct errors *errors;
	const char *path;
};

static void warn_pending(void *arg, const struct conf_change *change)
{
	const struct pending *p = arg;

	errors_warn(p->errors, p->path, 0, 0,
	            "%s: takes effect when the broker is restarted; it runs with %s, the file says "
	            "%s",
	            change->name, change->before, change->after);
}

/* For the metrics. */
static void count_reload(struct reloader *r, _Atomic uint64_t *result)
{
	struct reload_counts *c = &r->shared->reloads;

	atomic_fetch_add(result, 1);
	atomic_store(&c->last_failed, result != &c->complete);
	atomic_store(&c->last_ms, (uint64_t)clock_wall_ms());
}

static bool reload_all(struct reloader *r, struct errors *errors)
{
	struct config_snapshot *next = config_load(r->conf_path, r->tickets, r->snapshot, errors);
	struct pending pending = {errors, r->conf_path};
	struct config_sockets sockets;

	if (next == NULL)
		return false;
	LOG(RELOAD_STEP, .step = "files are read and checked");
	sockets = config_sockets_new(r->shared->worker_count);
	if (!bind_new(r, r->snapshot, next, &sockets, errors) ||
	    !permit_anew(r->snapshot, next, errors)) {
		config_sockets_close(&sockets);
		config_snapshot_unref(&next);
		return false;
	}
	/* mutant: restart_is_pending */
	conf_started_diff(r->started, next->conf, warn_pending, &pending);
	apply(r, next, &sockets);
	count_reload(r, &r->shared->reloads.complete);
	return true;
}

bool reload_preview(const struct reloader *r, config_diff_fn *fn, void *arg, struct errors *errors)
{
	struct config_snapshot *next = config_load(r->conf_path, r->tickets, r->snapshot, errors);
	struct pending pending = {errors, r->conf_path};

	if (next == NULL)
		return false;
	config_diff_each(r->snapshot, next, fn, arg);
	conf_started_diff(r->started, next->conf, warn_pending, &pending);
	config_snapshot_unref(&next);
	return true;
}

/* Whatever it was that failed: is there a descriptor now? A look-up of users and groups does not
 * say why it fails. */
static bool may_pass(const struct errors *errors)
{
	int fd;

	if (errors->may_pass)
		return true;
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EMFILE;
}

static void fail(struct reloader *r, enum reload_cause cause, const struct errors *errors)
{
	/* mutant: passing_failure_is_repeated */
	bool again = may_pass(errors);

	LOG(RELOAD_FAILED, .errors = errors->error_count,
	    .remedy =
	        again ? "nothing else was changed; the cause may pass: it is tried again in some "
	                "seconds"
	              : "nothing else was changed; fix the errors above and reload again (SIGHUP)");
	count_reload(r, apply_parts(r) ? &r->shared->reloads.partial : &r->shared->reloads.failed);
	if (!again) {
		r->repeat_ms = 0;
		file_watch_forget(&r->file_watch);
		return;
	}
	r->repeat_ms = r->repeat_ms == 0 ? REPEAT_FIRST_MS : r->repeat_ms * 2;
	if (r->repeat_ms > REPEAT_LAST_MS)
		r->repeat_ms = REPEAT_LAST_MS;
	r->repeat_cause = cause;
	executor_timer_arm(r->executor, &r->repeat_timer, r->repeat_ms);
}

bool reload_run(struct reloader *r, enum reload_cause cause)
{
	struct errors errors = {0};
	bool ok;

	if (r->stopped)
		return false;
	if (r->under_way) {
		r->again = true;
		r->again_cause = cause;
		return true;
	}
	executor_timer_disarm(r->executor, &r->repeat_timer);
	file_watch_look(&r->file_watch);
	LOG(RELOADING, .cause = cause == RELOAD_ASKED ? "asked" : "a file changed");
	ok = (cause == RELOAD_ASKED || file_watch_is_sound(&r->file_watch, &errors)) &&
	     reload_all(r, &errors);
	errors_log(&errors);
	if (ok)
		r->repeat_ms = 0;
	else
		fail(r, cause, &errors);
	errors_fini(&errors);
	return ok;
}

/* --- noticing --- */

static void on_watch(struct timer *timer, void *executor_arg)
{
	struct reloader *r = container_of(timer, struct reloader, watch_timer);

	(void)executor_arg;
	if (!r->under_way && !timer_is_armed(&r->repeat_timer) &&
	    file_watch_changed_and_settled(&r->file_watch))
		reload_run(r, RELOAD_NOTICED);
	executor_timer_arm(r->executor, timer, WATCH_MS);
}

static void on_repeat(struct timer *timer, void *executor_arg)
{
	struct reloader *r = container_of(timer, struct reloader, repeat_timer);

	(void)executor_arg;
	reload_run(r, r->repeat_cause);
}

/* --- life --- */

struct reloader *reload_new(struct shared *shared, struct executor *main_executor,
                            struct config_snapshot *first, struct tls_tickets *tickets)
{
	struct reloader *r = xnew(r);

	r->shared = shared;
	r->executor = main_executor;
	r->snapshot = config_snapshot_ref(first);
	r->tickets = tickets;
	r->conf_path = xstrdup(first->conf->path);
	r->started = conf_started_new(first->conf);
	r->watch_timer.fire = on_watch;
	r->repeat_timer.fire = on_repeat;
	r->deletion_timer.fire = on_delete_values;
	r->limit_timer.fire = on_limit;
	file_watch_take(&r->file_watch, first);
	note_certificates(r);
	return r;
}

void reload_free(struct reloader *r)
{
	if (r == NULL)
		return;
	file_watch_fini(&r->file_watch);
	set_aside_deletion_fini(&r->deletion);
	config_snapshot_unref(&r->snapshot);
	config_snapshot_unref(&r->replaced);
	free(r->conf_path);
	conf_started_free(r->started);
	free(r);
}

void reload_stop(struct reloader *r)
{
	r->stopped = true;
	executor_timer_disarm(r->executor, &r->watch_timer);
	executor_timer_disarm(r->executor, &r->repeat_timer);
	executor_timer_disarm(r->executor, &r->deletion_timer);
	executor_timer_disarm(r->executor, &r->limit_timer);
}

static void on_first_adopted(void *arg)
{
	struct reloader *r = arg;

	r->under_way = false;
	settle_set_aside(r);
	r->opened(r->opened_arg);
	if (!r->stopped)
		executor_timer_arm(r->executor, &r->watch_timer, WATCH_MS);
}

bool reload_open(struct reloader *r, config_apply_done_fn *done, void *arg)
{
	struct config_sockets sockets = config_sockets_new(r->shared->worker_count);
	struct errors errors = {0};
	bool ok = bind_new(r, NULL, r->snapshot, &sockets, &errors);

	REQUIRE(!r->under_way);
	if (!ok) /* else there are warnings alone, which config_check gave, too */
		errors_log(&errors);
	errors_fini(&errors);
	if (!ok) {
		config_sockets_close(&sockets);
		return false;
	}
	r->opened = done;
	r->opened_arg = arg;
	r->under_way = true;
	config_apply_start(r->shared, r->executor, r->snapshot, &sockets, on_first_adopted, r);
	return true;
}

struct config_snapshot *reload_snapshot(struct reloader *r)
{
	return r->snapshot;
}
