/* See world.h. One step is what one thread could do between two others: the bytes of a
 * connection, or an executor's turn, or a client's reading and writing. */
#include "world.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "attach_later.h"
#include "auth/password_backend.h"
#include "auth/password_file.h"
#include "authenticator.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "chance.h"
#include "client.h"
#include "client/client_list.h"
#include "client/conn_accept.h"
#include "conf/conf_load.h"
#include "durability/record_codec.h"
#include "journal/journal_disk.h"
#include "journal/journal_memory.h"
#include "server/config_load.h"
#include "server/expire_retained.h"
#include "server/restore.h"
#include "server/set_aside.h"
#include "server/stop.h"
#include "server/workers.h"
#include "session/session.h"
#include "tree/topic_owners.h"

#define STOP_ROUNDS         200
#define JOURNAL_INTERVAL_MS 1000

struct wire {
	struct wire *next;
	struct memory_peer *peer;
};

static const char default_conf[] = "listeners:\n"
				   "  - bind: unix:/run/sim.sock\n"
				   "authentication:\n"
				   "  anonymous: true\n"
				   "  anonymous_sessions: true\n"
				   "authorization:\n"
				   "  acl_file: acl.yaml\n";
static const char default_acl[] = "anonymous: { rules: ['allow all #'] }\n";

/* --- time and randomness --- */

static uint64_t monotonic_ns(void *arg)
{
	const struct world *w = arg;

	return w->now_ms * 1000000u;
}

static int64_t wall_ms(void *arg)
{
	const struct world *w = arg;

	return (int64_t)w->now_ms + WORLD_WALL_MS + w->clock_wrong_ms;
}

static void broker_random(void *arg, void *out, size_t len)
{
	struct world *w = arg;
	uint8_t *at = out;

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(chance_next(&w->broker_random_state) >> 32);
}

uint64_t world_random(struct world *w, uint64_t below)
{
	return chance_below(&w->random_state, below);
}

/* --- beginning --- */

static void *parsed(void *what, struct errors *errors)
{
	char *text = errors->error_count == 0 ? NULL : errors_text(errors);

	if (text != NULL)
		print_error("%s\n", text);
	free(text);
	errors_fini(errors);
	assert_non_null(what);
	return what;
}

static struct identity_source *make_identities(const struct world_settings *s,
                                               const struct conf *conf)
{
	struct slice text = slice_of_str(s->users == NULL ? "" : s->users);
	struct errors errors = {0};

	if (conf->password_file == NULL)
		return identity_source_new(NULL, NULL, NULL);
	return identity_source_new(
	    &password_backend, parsed(password_file_parse("sim.passwd", text, &errors), &errors),
	    conf->password_file);
}

/* `before`: the newest until now; NULL: there is none. */
static struct config_snapshot *make_snapshot(const struct world_settings *s,
                                             const struct config_snapshot *before)
{
	struct errors errors = {0};
	struct conf *conf = parsed(
	    conf_parse("sim.yaml", slice_of_str(s->conf == NULL ? default_conf : s->conf), &errors),
	    &errors);
	struct acl *acl =
	    parsed(acl_parse("acl.yaml", slice_of_str(s->acl == NULL ? default_acl : s->acl),
	                     conf->authorization.partial_subscriptions, &errors),
	           &errors);

	return config_load_parts(conf, make_identities(s, conf), acl, before);
}

/* In a third of all worlds, work that is done in slices is done in small ones: the budget of a
 * turn, or 0. */
static unsigned small_turn_of(const struct world *w)
{
	static const unsigned steps[] = {16, 32, 128};
	uint64_t chance = w->seed;
	uint64_t drawn = chance_below(&chance, 9);

	return drawn < 3 ? steps[drawn] : 0;
}

bool world_has_small_slices(const struct world *w)
{
	return small_turn_of(w) != 0;
}

static void start_broker(struct world *w, struct config_snapshot *snapshot, bool hashes)
{
	struct journal_options options = {.interval_ms = JOURNAL_INTERVAL_MS,
	                                  .expired_retention_ms = TOPIC_OWNERS_RETENTION_MS,
	                                  .deleted_is_over = record_retained_is_over};
	char text[STORE_ERROR_TEXT];
	struct restored restored;

	w->journal = w->durable ? journal_disk_new(store_memory_open(w->image), &options)
	                        : journal_memory_new();
	w->server = workers_new(snapshot, w->workers, w->journal);
	for (unsigned i = 0; i < w->workers && world_has_small_slices(w); i++)
		w->server->workers[i]->turn_steps = small_turn_of(w);
	for (unsigned i = 0; i < w->workers && w->attaches_later; i++)
		w->server->workers[i]->sessions->attach = attach_later;
	if (hashes)
		w->server->authenticator = authenticator_new(1);
	assert_int_equal(restore_load(w->server, &restored, text), 0);
	restore_settle(w->server);
}

struct world *world_new(const struct world_settings *settings)
{
	struct world *w = xnew(w);
	static struct clock_source clock = {.monotonic_ns = monotonic_ns, .wall_ms = wall_ms};
	struct config_snapshot *snapshot;

	w->seed = w->random_state = settings->seed;
	w->broker_random_state = ~settings->seed;
	w->workers = settings->workers;
	w->texts = (struct world_settings){.conf = settings->conf};
	w->durable = w->journal_paused = settings->durable;
	w->attaches_later = settings->attaches_later;
	w->now_ms = 1000000;
	clock.arg = w;
	clock_use(&clock);
	random_use(broker_random, w);
	hash_init();
	snapshot = w->newest = make_snapshot(settings, NULL);
	if (settings->durable)
		w->image = store_image_new();
	start_broker(w, snapshot, settings->hashes);
	executor_init(&w->main_executor, w->workers, NULL, w);
	return w;
}

void world_prepare(struct world *w, const struct world_settings *texts)
{
	w->next_snapshot = make_snapshot(texts, w->newest);
}

static void on_applied(void *arg)
{
	struct world *w = arg;

	set_aside_finish(w->server, &w->main_executor);
	w->applied(w->applied_arg);
}

void world_reload(struct world *w, const struct world_settings *texts, config_apply_done_fn *done,
                  void *arg)
{
	struct config_snapshot *snapshot = make_snapshot(texts, w->newest);
	struct config_sockets none = {.workers = w->workers};

	w->applied = done;
	w->applied_arg = arg;
	executor_enter(&w->main_executor);
	set_aside_begin(w->server, &w->main_executor, snapshot);
	executor_leave();
	config_apply_start(w->server, &w->main_executor, snapshot, &none, on_applied, w);
	config_snapshot_unref(&w->newest);
	w->newest = snapshot;
}

struct wire *world_connect(struct world *w, const char *name, const char *certificate_name)
{
	struct worker *worker = w->server->workers[world_random(w, w->workers)];
	struct wire *wire = xnew(wire);
	struct stream *stream = memory_stream_new(0, name, certificate_name, &wire->peer);

	LL_PREPEND(w->wires, wire);
	executor_enter(&worker->executor);
	executor_update_now(&worker->executor);
	conn_accept(worker, stream);
	executor_leave();
	return wire;
}

struct memory_peer *wire_peer(const struct wire *wire)
{
	return wire->peer;
}

/* --- steps --- */

static size_t some_bytes(struct world *w)
{
	static const size_t most[] = {40, 5000, 20000, 4000000};

	return 1 + world_random(w, most[world_random(w, 4)]);
}

static bool is_frozen(const struct world *w, unsigned executor)
{
	return (w->frozen >> executor & 1) != 0;
}

static bool run_wire(struct world *w, struct wire *wire)
{
	bool moved = false;

	for (unsigned i = 0; i < w->workers; i++) {
		struct executor *executor = &w->server->workers[i]->executor;

		if (is_frozen(w, i))
			continue;
		executor_enter(executor);
		executor_update_now(executor);
		moved |= memory_run(wire->peer, some_bytes(w));
		executor_leave();
	}
	return moved;
}

static struct executor *executor_at(struct world *w, uint64_t i)
{
	return i == w->workers ? &w->main_executor : &w->server->workers[i]->executor;
}

static bool has_turns(const struct world *w, unsigned executor)
{
	return ((w->frozen | w->reading) >> executor & 1) == 0;
}

static bool has_tasks(struct world *w, unsigned i)
{
	return has_turns(w, i) && !mailbox_is_empty(&executor_at(w, i)->mailbox);
}

static bool run_executor(struct world *w, unsigned i)
{
	bool moved = has_tasks(w, i);

	if (!has_turns(w, i))
		return false;
	executor_enter(executor_at(w, i));
	moved |= executor_turn(executor_at(w, i)) == 0;
	executor_leave();
	return moved;
}

/* The disk is slow, and may have no space. */
static bool release(struct world *w)
{
	if (!w->durable || w->journal_paused)
		return false;
	if (w->fail_one_in > 0 && world_random(w, w->fail_one_in) == 0)
		store_image_fail(w->image, 1, -ENOSPC);
	return world_commit(w);
}

/* Some hash is ready. */
static bool hash_one(struct world *w)
{
	struct authenticator *a = w->server->authenticator;
	size_t waiting = a == NULL || w->no_hashes ? 0 : authenticator_waiting(a);

	if (waiting > 0)
		authenticator_answer(a, world_random(w, waiting));
	return waiting > 0;
}

/* Some session is attached. */
static bool attach_one(struct world *w)
{
	size_t count = w->no_attaches ? 0 : attach_later_waiting();

	if (count > 0)
		attach_later_finish(world_random(w, count));
	return count > 0;
}

static void one_step(struct world *w)
{
	struct client *c;
	struct wire *wire;
	uint64_t kind = world_random(w, 8);
	size_t n;

	w->turns++;
	if (kind < 3) {
		run_executor(w, (unsigned)world_random(w, w->workers + 1));
	} else if (kind < 6) {
		LL_COUNT(w->wires, wire, n);
		n = n == 0 ? 0 : world_random(w, n < 16 ? n : 16);
		for (wire = w->wires; n > 0; n--)
			wire = wire->next;
		if (wire != NULL)
			run_wire(w, wire);
	} else {
		LL_COUNT(w->clients, c, n);
		n = n == 0 ? 0 : world_random(w, n);
		for (c = w->clients; n > 0; n--)
			c = c->next;
		if (c != NULL)
			client_turn(c);
	}
	if (world_random(w, 4) == 0)
		release(w);
	if (world_random(w, 4) == 0)
		hash_one(w);
	if (w->attaches_later && world_random(w, 4) == 0)
		attach_one(w);
}

void world_steps(struct world *w, unsigned count)
{
	while (count-- > 0)
		one_step(w);
}

/* Wires that both ends have closed. */
static void reap(struct world *w)
{
	struct wire *wire, *next;
	struct client *c;

	LL_FOREACH_SAFE (w->wires, wire, next) {
		if (w->wires_stay || !memory_is_gone(wire->peer))
			continue;
		LL_SEARCH_SCALAR(w->clients, c, wire, wire);
		if (c != NULL)
			continue;
		LL_SEARCH_SCALAR(w->clients, c, old_wire, wire);
		if (c != NULL)
			c->old_wire = NULL;
		LL_DELETE(w->wires, wire);
		memory_peer_free(wire->peer);
		free(wire);
	}
}

/* Everybody once. */
static bool expire(struct world *w)
{
	bool moved = false;
	struct client *c;
	struct wire *wire;

	LL_FOREACH (w->wires, wire) {
		moved |= run_wire(w, wire);
	}
	for (unsigned i = 0; i <= w->workers; i++)
		moved |= run_executor(w, (unsigned)((i + w->seed) % (w->workers + 1)));
	LL_FOREACH (w->clients, c) {
		moved |= client_turn(c);
	}
	moved |= release(w);
	moved |= hash_one(w);
	moved |= attach_one(w);
	w->turns++;
	for (unsigned i = 0; i <= w->workers; i++)
		moved |= has_tasks(w, i);
	return moved;
}

/* Time stands still: whoever still moves then has no end. */
#define ROUNDS_MAX 200000

void world_run(struct world *w)
{
	unsigned rounds = 0;

	do {
		world_steps(w, 20);
		assert_in_range(++rounds, 1, ROUNDS_MAX);
	} while (expire(w));
	reap(w);
}

uint64_t world_next_timer(struct world *w)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < w->workers; i++) {
		uint64_t next = timers_next(&w->server->workers[i]->executor.timers);

		due = next < due ? next : due;
	}
	return due;
}

uint64_t world_next_due(struct world *w)
{
	uint64_t due = world_next_timer(w);

	if (w->durable && due > w->now_ms + JOURNAL_INTERVAL_MS)
		due = w->now_ms + JOURNAL_INTERVAL_MS;
	return due;
}

void world_advance(struct world *w, uint64_t ms)
{
	uint64_t until = w->now_ms + ms;

	world_run(w);
	while (w->now_ms < until) {
		uint64_t due = world_next_due(w);

		w->now_ms = due > w->now_ms && due < until ? due : until;
		world_run(w);
	}
}

void world_stop_threads(struct world *w, uint64_t ms)
{
	bool paused = w->journal_paused, no_hashes = w->no_hashes;

	w->journal_paused = w->no_hashes = true;
	w->frozen = UINT_MAX;
	world_run(w);
	w->now_ms += ms;
	w->journal_paused = paused;
	w->no_hashes = no_hashes;
}

void world_resume_threads(struct world *w)
{
	struct wire *wire;

	w->frozen = 0;
	for (unsigned i = 0; i <= w->workers; i++)
		run_executor(w, i);
	LL_FOREACH (w->wires, wire) {
		for (unsigned i = 0; i < w->workers; i++) {
			executor_enter(executor_at(w, i));
			executor_update_now(executor_at(w, i));
			memory_run(wire->peer, SIZE_MAX);
			executor_leave();
		}
	}
}

void world_pause(struct world *w, uint64_t ms)
{
	world_stop_threads(w, ms);
	world_resume_threads(w);
	world_run(w);
}

bool world_commit(struct world *w)
{
	return journal_turn(w->journal, w->now_ms);
}

/* --- end --- */

static void stop_broker(struct world *w)
{
	unsigned rounds = 0;

	w->journal_paused = false;
	w->no_attaches = false;
	w->fail_one_in = 0;
	w->frozen = w->reading = 0;
	w->stop = stop_start(w->server, &w->main_executor, NULL);
	world_run(w);
	while (!stop_is_done(w->stop)) {
		assert_true(rounds++ < STOP_ROUNDS);
		world_advance(w, 100);
	}
	while (attach_one(w)) /* of connections that are gone */
		;
	stop_free(w->stop);
	w->stop = NULL;
}

bool world_has_deferred(const struct world *w)
{
	const struct conn *c;

	for (unsigned i = 0; i < w->server->worker_count; i++) {
		DL_FOREACH (w->server->workers[i]->clients->conns, c) {
			if (c->deferred != NULL)
				return true;
		}
	}
	return false;
}

static void forget_line(void *arg, enum event e, struct slice line)
{
	(void)arg;
	(void)e;
	(void)line;
}

static void hear_log(bool silent)
{
	log_set_sink(silent ? forget_line : NULL, NULL);
}

void world_be_silent(struct world *w)
{
	w->silent = true;
	hear_log(true);
}

/* Another broker, on what the previous one left. */
static void begin_again(struct world *w, struct config_snapshot **snapshot, bool hashes)
{
	workers_free(w->server);
	expire_retained_free(w->expire_retained);
	w->expire_retained = NULL;
	store_image_fail(w->image, 0, 0);
	hear_log(w->silent);
	if (w->next_workers != 0) {
		executor_fini(&w->main_executor);
		w->workers = w->next_workers;
		w->next_workers = 0;
		executor_init(&w->main_executor, w->workers, NULL, w);
	}
	w->clock_wrong_ms = w->next_clock_wrong_ms;
	start_broker(w, *snapshot, hashes);
	config_snapshot_unref(&w->newest);
	w->newest = *snapshot;
}

void world_restart(struct world *w)
{
	struct config_snapshot *snapshot =
	    w->next_snapshot != NULL ? w->next_snapshot
				     : config_snapshot_ref(w->server->workers[0]->snapshot);
	bool paused = w->journal_paused, hashes = w->server->authenticator != NULL;
	unsigned fail_one_in = w->fail_one_in;

	REQUIRE(w->durable);
	w->next_snapshot = NULL;
	stop_broker(w);
	w->journal_paused = paused;
	w->fail_one_in = fail_one_in;
	begin_again(w, &snapshot, hashes);
}

void world_crash(struct world *w)
{
	struct client *c;

	REQUIRE(w->durable);
	hear_log(true);                             /* of the failures of the crashing broker */
	store_image_fail(w->image, UINT_MAX, -EIO); /* from here on nothing is stored */
	LL_FOREACH (w->clients, c) {
		client_drop(c);
	}
	world_restart(w);
}

void world_free(struct world *w)
{
	struct client *c, *next_client;
	struct wire *wire, *next_wire;

	stop_broker(w);
	LL_FOREACH_SAFE (w->clients, c, next_client) {
		client_free(c);
	}
	workers_free(w->server);
	expire_retained_free(w->expire_retained);
	LL_FOREACH_SAFE (w->wires, wire, next_wire) {
		memory_peer_free(wire->peer);
		free(wire);
	}
	store_image_free(w->image);
	config_snapshot_unref(&w->newest);
	executor_fini(&w->main_executor);
	random_use(NULL, NULL);
	clock_use(NULL);
	free(w);
}
