/* Sums. The counters go on while they are read: each number is right, two of them may be of
 * slightly different moments. */
#include "admin/stats.h"

#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/frame.h"
#include "session/session_report.h"
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

static void add_set(uint64_t *to, const _Atomic uint64_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

static uint64_t sum(const uint64_t *set, size_t size)
{
	uint64_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += set[i];
	return total;
}

/* What is counted apart, and is one figure. */
static void sum_sets(struct stats *out)
{
	out->messages_received = sum(out->received_by_qos, ARRAY_LEN(out->received_by_qos));
	out->messages_sent = sum(out->sent_by_qos, ARRAY_LEN(out->sent_by_qos));
	out->received_by_type[PACKET_CONNECT] = out->clients_accepted;
	out->sent_by_type[PACKET_PUBLISH] = out->messages_sent;
	out->packets_received = sum(out->received_by_type, ARRAY_LEN(out->received_by_type));
	out->packets_sent = sum(out->sent_by_type, ARRAY_LEN(out->sent_by_type));
	out->messages_dropped = sum(out->dropped_by_reason, ARRAY_LEN(out->dropped_by_reason));
	out->denials = sum(out->denied_by_action, ARRAY_LEN(out->denied_by_action)) -
	               out->denied_by_action[DENIAL_FILTERED];
	out->deliveries_filtered = out->denied_by_action[DENIAL_FILTERED];
}

static uint64_t days_until(int64_t end_s)
{
	int64_t left_s = end_s == 0 ? 0 : end_s - clock_wall_ms() / 1000;

	return left_s > 0 ? (uint64_t)left_s / 86400 : 0;
}

void stats_take(struct shared *shared, struct stats *out)
{
	struct retain_counts counts;

	*out = (struct stats){0};
	for (unsigned i = 0; i < shared->worker_count; i++) {
		const struct counters *c = &shared->workers[i]->counters;

#define COUNTER(member, topic, status, text)                                                       \
	out->member += atomic_load_explicit(&c->member, memory_order_relaxed);
#define COUNTER_SET(member, size) add_set(out->member, c->member, size);
#include "worker/figures.def"
	}
	sum_sets(out);
	out->clients_connected = atomic_load(&shared->connections);
	out->unauthenticated = atomic_load(&shared->unauthenticated);
	out->clients_maximum = atomic_load(&shared->connections_most);
	if (out->sessions > out->clients_connected)
		out->clients_disconnected = out->sessions - out->clients_connected;
	out->certificate_days_left = days_until(atomic_load(&shared->certificate_until_s));
	out->set_aside_users = atomic_load(&shared->set_aside_users);
	if (out->set_aside_users > 0)
		out->set_aside_retained = retain_count_set_aside(shared->retain);
	retain_count(shared->retain, &counts);
	out->retained = counts.values - counts.of_broker;
	out->retained_bytes = counts.bytes - counts.bytes_of_broker;
	out->retained_system = counts.of_broker;
	out->retained_system_bytes = counts.bytes_of_broker;
	out->queued_bytes = out->queued_memory_bytes + out->queued_disk_bytes;
	out->retained_expired = counts.expired;
	out->stored = out->queued + out->retained;
	out->stored_bytes = out->queued_bytes + out->retained_bytes;
	out->log_dropped = log_dropped();
	out->memory = out->memory_bytes + counts.bytes;
	journal_health(shared->journal, &out->store);
	if (out->store.commits > 0)
		out->commit_us_mean = out->store.commit_us_sum / out->store.commits;
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
