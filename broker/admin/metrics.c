/* One function for each row that is more than a member of struct stats, in the order of the table.
 */
#include "admin/metrics.h"

#include <stddef.h>
#include <string.h>

#include "admin/metrics_text.h"
#include "admin/process_figures.h"
#include "admin/stats.h"
#include "base/array.h"
#include "base/crypto.h"
#include "client/conn.h"
#include "net/loop.h"
#include "net/tls/tls_counts.h"
#include "proto/frame.h"
#include "worker/shared.h"

struct metrics_source {
	struct shared *shared;
	const struct config_snapshot *snapshot;
	struct stats stats;
};

typedef void put_fn(struct metrics_text *t, const struct metrics_source *s);

/* ---- the values of labels ---- */

static const char *const close_names[CLOSE_REASONS_MAX] = {
#define CLOSE(id, code, packet, line, counter, text) [CLOSE_##id] = #id,
#include "client/close_reasons.def"
#undef CLOSE
};
static const char *const packet_names[16] = {
#define PACKET(id, type, flags) [type] = #id,
#include "proto/packets.def"
#undef PACKET
};
static const char *const pause_names[PAUSE_REASONS] = {[1] = "other_worker",
                                                       [2] = "not_reading",
                                                       [5] = "message_rate",
                                                       [6] = "store",
                                                       [9] = "deliveries"};
_Static_assert(PAUSE_PRESSURE == 1 << 1 && PAUSE_OUTPUT == 1 << 2 && PAUSE_RATE == 1 << 5 &&
                   PAUSE_STORE == 1 << 6 && PAUSE_FAN_OUT == 1 << 9,
               "as in session/client_link.h");
static const char *const method_names[LOGIN_METHODS] = {
#define METHOD(id, name) name,
#include "auth/login_methods.def"
#undef METHOD
};
static const char *const qos_names[3] = {"0", "1", "2"};
static const char *const drop_names[DROP_REASONS] = {
#define DROP(id, name, text) name,
#include "worker/drop_reasons.def"
#undef DROP
};
/* As session/session_report.h:denial_kind. */
static const char *const denial_names[DENIED_ACTIONS] = {"publish", "subscribe", "will", "receive",
                                                         "filtered"};

/* ---- sets, durations ---- */

static void put_cells(struct metrics_text *t, const _Atomic uint64_t *from, double unit_s)
{
	uint64_t cells[LATENCY_CELLS] = {0};

	metrics_text_add_cells(cells, from);
	metrics_text_histogram(t, cells, cells[LATENCY_SUM], unit_s);
}

/* Identifiers are written in capitals where they are declared. */
static void put_set(struct metrics_text *t, const char *label, const char *const *names,
                    const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char name[32];
		size_t len = 0;

		if (names[i] == NULL)
			continue;
		for (; names[i][len] != '\0' && len + 1 < sizeof(name); len++) {
			char c = names[i][len];

			name[len] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		}
		name[len] = '\0';
		metrics_text_number(t, values[i], label, name, NULL);
	}
}

/* ---- clients ---- */

static void put_build(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_number(t, 1, "version", VAKT_VERSION, "openssl", crypto_library_version(),
	                    NULL);
}

typedef void listener_fn(struct metrics_text *t, const struct conf_listener *l,
                         const struct listener_counts *c);

static void each_listener(struct metrics_text *t, const struct metrics_source *s, listener_fn *put)
{
	for (unsigned slot = 0; slot < s->snapshot->slot_count; slot++) {
		const struct conf_listener *l = config_snapshot_listener(s->snapshot, slot);

		if (l != NULL)
			put(t, l, &s->shared->listeners[slot]);
	}
}

static void put_clients_of(struct metrics_text *t, const struct conf_listener *l,
                           const struct listener_counts *c)
{
	static const char *const versions[LISTENER_TLS_COUNT] = {"none", "1.2", "1.3"};

	for (size_t i = 0; i < LISTENER_TLS_COUNT; i++)
		if (l->is_unix == (i == LISTENER_TLS_NONE))
			metrics_text_number(t, atomic_load(&c->clients_by_tls[i]), "listener",
			                    l->bind, "tls", versions[i], NULL);
}

static void put_clients(struct metrics_text *t, const struct metrics_source *s)
{
	each_listener(t, s, put_clients_of);
}

static void put_connects_of(struct metrics_text *t, const struct conf_listener *l,
                            const struct listener_counts *c)
{
	metrics_text_number(t, atomic_load(&c->accepted), "listener", l->bind, "result", "accepted",
	                    NULL);
	metrics_text_number(t, atomic_load(&c->refused), "listener", l->bind, "result", "refused",
	                    NULL);
}

static void put_connects(struct metrics_text *t, const struct metrics_source *s)
{
	each_listener(t, s, put_connects_of);
}

static void put_connect_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	const uint64_t *cells = s->stats.connect_ms;

	metrics_text_histogram(t, cells, cells[LATENCY_SUM], 0.001);
}

/* ---- TLS ---- */

/* A simulation's worker has no loop. */
static uint64_t sum_of_loops(const struct shared *shared, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < shared->worker_count; i++) {
		const struct loop *loop = shared->workers[i]->loop;

		if (loop != NULL)
			sum += atomic_load_explicit(
			    (const _Atomic uint64_t *)(const void *)((const char *)loop_tls_counts(
									 loop) +
			                                             offset),
			    memory_order_relaxed);
	}
	return sum;
}

static void put_handshakes(struct metrics_text *t, const struct metrics_source *s)
{
	static const char *const versions[2] = {"1.2", "1.3"}, *const resumed[2] = {"no", "yes"};

	for (size_t v = 0; v < 2; v++)
		for (size_t r = 0; r < 2; r++)
			metrics_text_number(
			    t, sum_of_loops(s->shared, offsetof(struct tls_counts, done[v][r])),
			    "version", versions[v], "resumed", resumed[r], NULL);
}

static void put_handshake_failures(struct metrics_text *t, const struct metrics_source *s)
{
	static const char *const causes[TLS_REFUSALS] = {[TLS_REFUSAL_PLAINTEXT] = "plaintext",
	                                                 [TLS_REFUSAL_GONE] = "client_gone",
	                                                 [TLS_REFUSAL_ALERT] = "client_refused",
	                                                 [TLS_REFUSAL_BROKER] = "broker_refused",
	                                                 [TLS_REFUSAL_EXCESS] = "excess"};

	for (size_t i = 0; i < TLS_REFUSALS; i++)
		metrics_text_number(
		    t, sum_of_loops(s->shared, offsetof(struct tls_counts, refused[i])), "cause",
		    causes[i], NULL);
}

typedef const _Atomic uint64_t *loop_cells_fn(const struct loop *loop);

static void put_loop_cells(struct metrics_text *t, const struct shared *shared,
                           loop_cells_fn *cells_of, double unit_s)
{
	uint64_t cells[LATENCY_CELLS] = {0};

	for (unsigned i = 0; i < shared->worker_count; i++)
		if (shared->workers[i]->loop != NULL)
			metrics_text_add_cells(cells, cells_of(shared->workers[i]->loop));
	metrics_text_histogram(t, cells, cells[LATENCY_SUM], unit_s);
}

static const _Atomic uint64_t *handshakes_of(const struct loop *loop)
{
	return loop_tls_counts(loop)->seconds;
}

static void put_handshake_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	put_loop_cells(t, s->shared, handshakes_of, 0.0001);
}

struct expiry_visit {
	struct metrics_text *t;
	enum tls_context_expiry wanted;
	const char *listener;
};

static void put_expiry(void *arg, enum tls_context_expiry kind, const char *path, int64_t until_s)
{
	const struct expiry_visit *v = arg;

	if (kind == v->wanted && until_s >= 0)
		metrics_text_number(v->t, (uint64_t)until_s, "listener", v->listener, "file", path,
		                    NULL);
}

static void put_expiries(struct metrics_text *t, const struct metrics_source *s,
                         enum tls_context_expiry kind)
{
	const struct conf *conf = s->snapshot->conf;

	for (size_t i = 0; i < conf->listener_count; i++) {
		struct expiry_visit v = {t, kind, conf->listeners[i].bind};

		if (s->snapshot->tls[i] != NULL)
			tls_context_each_expiry(s->snapshot->tls[i], put_expiry, &v);
	}
}

static void put_certificates(struct metrics_text *t, const struct metrics_source *s)
{
	put_expiries(t, s, TLS_CONTEXT_CERTIFICATE);
}

static void put_revocation_lists(struct metrics_text *t, const struct metrics_source *s)
{
	put_expiries(t, s, TLS_CONTEXT_CLIENT_CRL);
}

/* ---- logins ---- */

static void put_logins(struct metrics_text *t, const struct metrics_source *s)
{
	static const char *const results[LOGIN_RESULTS] = {[LOGIN_RESULT_ACCEPTED] = "accepted",
	                                                   [LOGIN_RESULT_REFUSED] = "refused",
	                                                   [LOGIN_RESULT_BUSY] = "unchecked"};

	for (size_t i = 0; i < ARRAY_LEN(s->stats.logins); i++)
		metrics_text_number(t, s->stats.logins[i], "method",
		                    method_names[i / LOGIN_RESULTS], "result",
		                    results[i % LOGIN_RESULTS], NULL);
}

static void put_hash_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	static const _Atomic uint64_t none[LATENCY_CELLS];
	const struct authenticator *a = s->shared->authenticator;

	put_cells(t, a == NULL ? none : authenticator_hash_cells(a), 0.001);
}

/* ---- messages, sessions ---- */

/* Those that did not wait are in no cell: they left in the turn in which they came. */
static void put_publish_ack_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	uint64_t cells[LATENCY_CELLS], waited = 0;
	uint64_t all = s->stats.sent_by_type[PACKET_PUBACK] + s->stats.sent_by_type[PACKET_PUBREC];

	for (size_t i = 0; i < LATENCY_CELLS; i++) {
		cells[i] = s->stats.publish_ack_ms[i];
		waited += i == LATENCY_SUM ? 0 : cells[i];
	}
	cells[0] += all > waited ? all - waited : 0;
	metrics_text_histogram(t, cells, cells[LATENCY_SUM], 0.001);
}

static void put_sessions(struct metrics_text *t, const struct metrics_source *s)
{
	uint64_t connected = s->stats.sessions - s->stats.clients_disconnected;

	metrics_text_number(t, connected, "state", "connected", NULL);
	metrics_text_number(t, s->stats.clients_disconnected, "state", "away", NULL);
	metrics_text_number(t, s->stats.set_aside_sessions, "state", "set_aside", NULL);
}

static void put_subscriptions(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->stats.subscriptions - s->stats.shared_subscriptions, "kind",
	                    "plain", NULL);
	metrics_text_number(t, s->stats.shared_subscriptions, "kind", "shared", NULL);
}

static void put_queue_bytes(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->stats.queued_memory_bytes, "where", "memory", NULL);
	metrics_text_number(t, s->stats.queued_disk_bytes, "where", "disk", NULL);
}

static void put_memory(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->stats.memory_bytes, "what", "clients", NULL);
	metrics_text_number(t, s->stats.memory - s->stats.memory_bytes, "what", "retained", NULL);
}

static void put_memory_limit(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->snapshot->conf->shared.memory_bytes, NULL);
}

/* ---- store ---- */

static void put_store_state(struct metrics_text *t, const struct metrics_source *s)
{
	static const char *const states[] = {"off", "ok", "full", "failed"};
	const char *now = stats_store_state(s->shared, &s->stats);

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		metrics_text_number(t, strcmp(states[i], now) == 0, "state", states[i], NULL);
}

static void put_commit_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	const struct journal_health *h = &s->stats.store;

	metrics_text_histogram(t, h->commit_cells, h->commit_us_sum / 100, 0.0001);
}

static void put_store_bytes(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->stats.store.used_bytes, "what", "used", NULL);
	metrics_text_number(t, s->stats.store.map_bytes, "what", "map", NULL);
	metrics_text_number(t, s->stats.store.max_bytes, "what", "max", NULL);
}

/* ---- the broker ---- */

static void put_password_queue(struct metrics_text *t, const struct metrics_source *s)
{
	uint64_t waiting =
	    s->shared->authenticator == NULL ? 0 : authenticator_waiting(s->shared->authenticator);

	metrics_text_number(t, waiting, NULL);
}

static void put_generation(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->snapshot->generation, NULL);
}

static void put_reloads(struct metrics_text *t, const struct metrics_source *s)
{
	const struct reload_counts *r = &s->shared->reloads;

	metrics_text_number(t, atomic_load(&r->complete), "result", "complete", NULL);
	metrics_text_number(t, atomic_load(&r->partial), "result", "partial", NULL);
	metrics_text_number(t, atomic_load(&r->failed), "result", "failed", NULL);
}

static void put_last_reload(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, atomic_load(&s->shared->reloads.last_failed) == 0, NULL);
}

static void put_last_reload_time(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, atomic_load(&s->shared->reloads.last_ms) / 1000, NULL);
}

static void put_log_suppressed(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	for (unsigned e = 0; e < EVENT_COUNT; e++)
		if (log_is_limited((enum event)e))
			metrics_text_number(t, log_suppressed((enum event)e), "event",
			                    event_name((enum event)e), NULL);
}

static void put_turn_seconds(struct metrics_text *t, const struct metrics_source *s)
{
	put_loop_cells(t, s->shared, loop_turn_cells, 0.001);
}

static void put_workers(struct metrics_text *t, const struct metrics_source *s)
{
	metrics_text_number(t, s->shared->worker_count, NULL);
}

static void put_cpu(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_seconds(t, process_figures_cpu_s(), NULL);
}

static void put_resident(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_number(t, process_figures_resident(), NULL);
}

static void put_virtual(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_number(t, process_figures_virtual(), NULL);
}

static void put_start_time(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_seconds(t, process_figures_start_s(), NULL);
}

static void put_descriptors(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_number(t, process_figures_descriptors(), NULL);
}

static void put_descriptor_limit(struct metrics_text *t, const struct metrics_source *s)
{
	(void)s;
	metrics_text_number(t, process_figures_descriptor_limit(), NULL);
}

/* ---- all of them ---- */

enum row_kind {
	ROW_MEMBER,
	ROW_SET,
	ROW_FUNCTION,
};

static const struct metric_row {
	const char *name, *help;
	enum metric_type type;
	enum row_kind kind;
	/* Of struct stats; of a set, its first. */
	size_t offset;
	const char *label;
	const char *const *names;
	size_t count;
	put_fn *put;
} rows[] = {
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define METRIC_COUNTER(its_name, member, text)                                                     \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_COUNTER,                                                              \
	 .kind = ROW_MEMBER,                                                                       \
	 .offset = offsetof(struct stats, member)},
#define METRIC_GAUGE(its_name, member, text)                                                       \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_GAUGE,                                                                \
	 .kind = ROW_MEMBER,                                                                       \
	 .offset = offsetof(struct stats, member)},
#define METRIC_SET(its_name, its_label, its_names, member, text)                                   \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_COUNTER,                                                              \
	 .kind = ROW_SET,                                                                          \
	 .offset = offsetof(struct stats, member),                                                 \
	 .label = its_label,                                                                       \
	 .names = its_names,                                                                       \
	 .count = ARRAY_LEN(its_names)},
#define METRIC_GAUGE_SET(its_name, its_label, its_names, member, text)                             \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_GAUGE,                                                                \
	 .kind = ROW_SET,                                                                          \
	 .offset = offsetof(struct stats, member),                                                 \
	 .label = its_label,                                                                       \
	 .names = its_names,                                                                       \
	 .count = ARRAY_LEN(its_names)},
#define METRIC_HISTOGRAM(its_name, function, text)                                                 \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_HISTOGRAM,                                                            \
	 .kind = ROW_FUNCTION,                                                                     \
	 .put = function},
#define METRIC(its_type, its_name, labels, function, text)                                         \
	{.name = its_name,                                                                         \
	 .help = text,                                                                             \
	 .type = METRIC_TYPE_##its_type,                                                           \
	 .kind = ROW_FUNCTION,                                                                     \
	 .put = function},
#include "admin/metrics.def"
    /* NOLINTEND(bugprone-macro-parentheses) */
};

static void put_row(struct metrics_text *t, const struct metric_row *row,
                    const struct metrics_source *s)
{
	const void *at = (const char *)&s->stats + row->offset;

	metrics_text_family(t, row->type, row->name, row->help);
	switch (row->kind) {
	case ROW_MEMBER:
		metrics_text_number(t, stats_value(&s->stats, row->offset), NULL);
		break;
	case ROW_SET:
		put_set(t, row->label, row->names, at, row->count);
		break;
	case ROW_FUNCTION:
		row->put(t, s);
		break;
	}
}

void metrics_write(struct shared *shared, const struct config_snapshot *snapshot,
                   bool is_open_metrics, struct buf *out)
{
	struct metrics_source source = {.shared = shared, .snapshot = snapshot};
	struct metrics_text t = {.out = out, .is_open_metrics = is_open_metrics};

	stats_take(shared, &source.stats);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		put_row(&t, &rows[i], &source);
	metrics_text_end(&t);
}
