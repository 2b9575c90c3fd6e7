/* Sums. The counters go on while they are read: each number is right, two of them may be of
 * slightly different moments. */
#include "admin/stats.h"

#include <string.h>

#include "worker/shared.h"

static void add(uint64_t *sum, const _Atomic uint64_t *counter)
{
	*sum += atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_worker(struct stats *t, const struct counters *c)
{
	add(&t->clients_total, &c->sessions);
	add(&t->clients_expired, &c->sessions_expired);
	add(&t->packets_received, &c->packets_received);
	add(&t->packets_received, &c->clients_accepted); /* their CONNECTs */
	add(&t->packets_sent, &c->packets_sent);
	add(&t->packets_sent, &c->messages_sent);
	add(&t->messages_received, &c->messages_received);
	add(&t->messages_sent, &c->messages_sent);
	add(&t->messages_dropped, &c->messages_dropped);
	add(&t->payload_received, &c->payload_received);
	add(&t->payload_sent, &c->payload_sent);
	add(&t->bytes_received, &c->bytes_received);
	add(&t->bytes_sent, &c->bytes_sent);
	add(&t->sockets, &c->connections_total);
	add(&t->clients_accepted, &c->clients_accepted);
	add(&t->denials, &c->denials);
	add(&t->retained_refused, &c->retained_refused);
	add(&t->memory_refused, &c->memory_refused);
	add(&t->memory, &c->memory_bytes);
	add(&t->subscriptions, &c->subscriptions);
	add(&t->shared_subscriptions, &c->shared_subscriptions);
	add(&t->stored, &c->held);
	add(&t->stored_bytes, &c->held_bytes);
}

void stats_take(struct server *server, struct stats *out)
{
	struct retain_counts retained;

	*out = (struct stats){0};
	for (unsigned i = 0; i < server->worker_count; i++)
		add_worker(out, &server->workers[i]->counters);
	out->clients_connected = atomic_load(&server->connections);
	out->clients_maximum = atomic_load(&server->connections_most);
	if (out->clients_total > out->clients_connected)
		out->clients_disconnected = out->clients_total - out->clients_connected;
	retain_count(server->retain, &retained);
	out->retained = retained.values;
	out->retained_bytes = retained.bytes;
	out->stored += retained.values;
	out->stored_bytes += retained.bytes;
	out->memory += retained.bytes;
	journal_health(server->journal, &out->store);
	if (out->store.commits > 0)
		out->commit_us_mean = out->store.commit_us_sum / out->store.commits;
}

const char *stats_store_state(const struct server *server, const struct stats *t)
{
	static const char *const states[] = {[JOURNAL_WORKS] = "ok",
	                                     [JOURNAL_LOW_SPACE] = "full",
	                                     [JOURNAL_WAITS] = "full",
	                                     [JOURNAL_FAILED] = "failed"};

	return journal_is_durable(server->journal) ? states[t->store.state] : "off";
}

const char *stats_store_error(const struct stats *t)
{
	return t->store.error == 0 ? NULL : strerrordesc_np(-t->store.error);
}
