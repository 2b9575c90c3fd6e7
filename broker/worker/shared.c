/* What all workers share, and where a client id lives. */
#include "worker/shared.h"

#include <stdlib.h>

#include "admin/sys_topics.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "routing/local_delivery.h"
#include "server/expire_retained.h"

static void hear_of_journal(struct server *s)
{
	struct executor *executors[ROUTE_EXECUTORS_MAX];

	for (unsigned i = 0; i < s->worker_count; i++)
		executors[i] = &s->workers[i]->executor;
	journal_on_queued(s->journal, deliver_queued);
	journal_on_space(s->journal, executors, s->worker_count, worker_on_space);
}

struct server *server_new(struct config_snapshot *snapshot, unsigned workers,
                          struct journal *journal)
{
	struct server *s = xnew(s);

	REQUIRE(workers >= 1 && workers <= ROUTE_EXECUTORS_MAX);
	s->worker_count = workers;
	s->route = route_new(workers);
	s->retain = retain_new(workers);
	s->journal = journal;
	s->listener_connections = xcalloc(LISTENER_IDS_MAX, sizeof(*s->listener_connections));
	keyed_counter_init(&s->user_sessions);
	keyed_counter_init(&s->user_connections);
	keyed_counter_init(&s->address_connections);
	payers_init(&s->payers, workers);
	s->workers = xcalloc(workers, sizeof(struct worker *));
	for (unsigned i = 0; i < workers; i++)
		s->workers[i] = worker_new(s, i, snapshot);
	hear_of_journal(s);
	quota_store_begin(s);
	quota_store_set(s, snapshot);
	return s;
}

void server_free(struct server *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_free(s->workers[i]);
	sys_free(s->sys); /* its timer was worker 0's */
	sweep_free(s->sweep);
	free(s->workers);
	journal_free(s->journal);
	authenticator_free(s->authenticator);
	retain_free(s->retain);
	route_free(s->route);
	keyed_counter_fini(&s->user_sessions);
	keyed_counter_fini(&s->user_connections);
	keyed_counter_fini(&s->address_connections);
	payers_fini(&s->payers);
	free(s->listener_connections);
	free(s);
}

struct worker *server_owner_of(struct server *s, struct slice client_id)
{
	return s->workers[hash_bytes(client_id.data, client_id.len) % s->worker_count];
}

void server_count_connection(struct server *s)
{
	uint64_t now = atomic_fetch_add(&s->connections, 1) + 1;
	uint64_t most = atomic_load(&s->connections_most);

	while (now > most && !atomic_compare_exchange_weak(&s->connections_most, &most, now))
		;
}

bool server_session_kept(struct server *s, struct slice user_key, uint32_t max)
{
	return keyed_counter_take(&s->user_sessions, user_key, max);
}

void server_session_gone(struct server *s, struct slice user_key)
{
	keyed_counter_give(&s->user_sessions, user_key);
}
