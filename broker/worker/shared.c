/* What all workers share, and where a client id lives. */
#include "worker/shared.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

struct shared *shared_new(unsigned workers, struct journal *journal)
{
	struct shared *s = xnew(s);

	REQUIRE(workers >= 1 && workers <= ROUTE_EXECUTORS_MAX);
	s->worker_count = workers;
	s->route = route_new(workers);
	s->retain = retain_new(workers);
	s->journal = journal;
	s->listeners = xcalloc(LISTENER_IDS_MAX, sizeof(*s->listeners));
	keyed_counter_init(&s->user_sessions);
	keyed_counter_init(&s->user_connections);
	keyed_counter_init(&s->address_connections);
	message_rates_init(&s->script_rates);
	payers_init(&s->payers, workers);
	s->user_ids = user_ids_new();
	s->workers = xcalloc(workers, sizeof(struct worker *));
	return s;
}

void shared_free(struct shared *s)
{
	if (s == NULL)
		return;
	free(s->workers);
	journal_free(s->journal);
	authenticator_free(s->authenticator);
	retain_free(s->retain);
	route_free(s->route);
	keyed_counter_fini(&s->user_sessions);
	keyed_counter_fini(&s->user_connections);
	keyed_counter_fini(&s->address_connections);
	message_rates_fini(&s->script_rates);
	payers_fini(&s->payers);
	user_ids_unref(&s->user_ids);
	free(s->listeners);
	free(s);
}

struct worker *shared_owner_of(struct shared *s, struct slice client_id)
{
	return s->workers[hash_bytes(client_id.data, client_id.len) % s->worker_count];
}

void shared_count_connection(struct shared *s)
{
	uint64_t now = atomic_fetch_add(&s->connections, 1) + 1;
	uint64_t most = atomic_load(&s->connections_most);

	while (now > most && !atomic_compare_exchange_weak(&s->connections_most, &most, now))
		;
}

bool shared_session_take(struct shared *s, struct slice user_key, uint32_t max)
{
	return keyed_counter_take(&s->user_sessions, user_key, max);
}

void shared_session_give(struct shared *s, struct slice user_key)
{
	keyed_counter_give(&s->user_sessions, user_key);
}

uint32_t shared_session_count(struct shared *s, struct slice user_key)
{
	return keyed_counter_get(&s->user_sessions, user_key);
}
