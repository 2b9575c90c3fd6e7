/* Sums. The counters go on while they are read: each number is right, two of them may be of
 * slightly different moments. */
#include "admin/stats.h"

#include <stddef.h>
#include <string.h>

#include "worker/shared.h"
#include "worker/worker.h"

const struct figure stats_figures[STATS_FIGURES] = {
#define COUNTER(member, topic, status, text) {topic, status, offsetof(struct stats, member), false},
#define FIGURE(member, topic, status, text)  {topic, status, offsetof(struct stats, member), false},
#define STORE(member, topic, status, text)   {topic, status, offsetof(struct stats, member), true},
#define ALIAS(member, topic)                 {topic, "", offsetof(struct stats, member), false},
#include "worker/figures.def"
};

uint64_t stats_value(const struct stats *stats, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + offset, sizeof(value));
	return value;
}

static void add_worker(struct stats *t, const struct counters *c)
{
#define COUNTER(member, topic, status, text)                                                       \
	t->member += atomic_load_explicit(&c->member, memory_order_relaxed);
#include "worker/figures.def"
}

static void add_retained(struct stats *t, struct retain *retain)
{
	struct retain_counts counts;

	retain_count(retain, &counts);
	t->retained = counts.values;
	t->retained_bytes = counts.bytes;
}

static void take_store(struct stats *t, struct journal *journal)
{
	journal_health(journal, &t->store);
	if (t->store.commits > 0)
		t->commit_us_mean = t->store.commit_us_sum / t->store.commits;
}

void stats_take(struct shared *shared, struct stats *out)
{
	*out = (struct stats){0};
	for (unsigned i = 0; i < shared->worker_count; i++)
		add_worker(out, &shared->workers[i]->counters);
	out->packets_received += out->clients_accepted; /* their CONNECTs */
	out->packets_sent += out->messages_sent;
	out->clients_connected = atomic_load(&shared->connections);
	out->clients_maximum = atomic_load(&shared->connections_most);
	if (out->sessions > out->clients_connected)
		out->clients_disconnected = out->sessions - out->clients_connected;
	add_retained(out, shared->retain);
	out->stored = out->queued + out->retained;
	out->stored_bytes = out->queued_bytes + out->retained_bytes;
	out->memory = out->memory_bytes + out->retained_bytes;
	take_store(out, shared->journal);
}

const char *stats_store_state(const struct shared *shared, const struct stats *t)
{
	static const char *const states[] = {[JOURNAL_OK] = "ok",
	                                     [JOURNAL_LOW_SPACE] = "full",
	                                     [JOURNAL_WAITS] = "full",
	                                     [JOURNAL_FAILED] = "failed"};

	return journal_is_durable(shared->journal) ? states[t->store.state] : "off";
}

const char *stats_store_error(const struct stats *t)
{
	return t->store.error == 0 ? NULL : strerrordesc_np(-t->store.error);
}
