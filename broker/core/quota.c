/* What all workers hold is summed only when a worker has used up its part of what was left: until
 * then a message costs one comparison. */
#include "core/quota.h"

#include "core/server.h"

static uint64_t bytes_held(const struct server *server)
{
	struct retain_counts retained;
	uint64_t sum;

	retain_count(server->retain, &retained);
	sum = retained.bytes;
	for (unsigned i = 0; i < server->worker_count; i++)
		sum += atomic_load_explicit(&server->workers[i]->counters.held_bytes,
		                            memory_order_relaxed);
	return sum;
}

/* The parts of all workers together are at most half of what is left; close to the limit they are
 * too small for a message, and each is asked for. */
static bool take_part(struct worker *w, uint64_t limit, size_t bytes)
{
	uint64_t held = bytes_held(w->server);
	uint64_t left = held < limit ? limit - held : 0;

	w->room = (struct quota_room){.limit = limit, .bytes = left / 2 / w->server->worker_count};
	if (w->room.bytes < bytes)
		return bytes <= left;
	w->room.bytes -= bytes;
	return true;
}

const char *quota_memory(struct worker *w, size_t bytes)
{
	uint64_t limit = w->policy->conf->shared.memory_bytes;

	if (limit == 0)
		return NULL;
	if (w->room.limit == limit && w->room.bytes >= bytes) {
		w->room.bytes -= bytes;
		return NULL;
	}
	return take_part(w, limit, bytes) ? NULL : "limits.memory is reached";
}

const char *quota_retained(struct worker *w, const struct retain_change *change,
                           const struct msg *msg)
{
	const struct conf_shared_limits *shared = &w->policy->conf->shared;
	struct retain_limits limits = {.values = shared->retained_messages,
	                               .values_per_user = shared->retained_per_user,
	                               .bytes = shared->retained_bytes};
	size_t before = change->current == NULL ? 0 : msg_bytes(change->current);
	const char *exceeds = retain_exceeds(change, msg, &limits);

	if (exceeds != NULL || msg_bytes(msg) <= before)
		return exceeds;
	return quota_memory(w, msg_bytes(msg) - before);
}

/* --- connections --- */

static uint32_t max_of(uint32_t limit)
{
	return limit == 0 ? UINT32_MAX - 1 : limit;
}

bool quota_address_take(struct worker *w, struct stream *stream, const struct conf_listener *l)
{
	char peer[STREAM_PEER_TEXT];
	uint32_t suppressed;

	if (tally_take(&w->server->address_connections, stream_peer_key(stream),
	               max_of(l->limits.connections_per_address)))
		return true;
	if (!log_limit_pass(&w->quota_limit, w->home.now_ms + 1, 10000, 5, &suppressed))
		return false;
	stream_peer_text(stream, peer, sizeof(peer));
	LOG(CONNECTION_DROPPED, F_STR("peer", peer), F_STR("listener", l->bind),
	    F_STR("reason", reason_name(REASON_QUOTA_EXCEEDED)),
	    F_STR("cause", "limits.connections_per_address is reached"),
	    F_NUM("suppressed", suppressed));
	return false;
}

void quota_address_give(struct worker *w, const struct stream *stream)
{
	tally_give(&w->server->address_connections, stream_peer_key(stream));
}

bool quota_user_take(struct conn *c, struct slice client_id)
{
	struct worker *w = c->worker;
	const struct session *s = session_find(w, c->identity->key, client_id);
	uint32_t max = max_of(worker_limits(w, c)->connections_per_user);

	if (s != NULL && s->conn != NULL)
		max++;
	c->user_counted = tally_take(&w->server->user_connections, c->identity->key, max);
	return c->user_counted;
}

void quota_user_give(struct conn *c)
{
	if (c->user_counted)
		tally_give(&c->worker->server->user_connections, c->identity->key);
	c->user_counted = false;
}

/* --- retained --- */

void quota_tell_refused(const struct session *s, struct slice topic, const char *cause)
{
	struct worker *w = s->worker;
	uint32_t suppressed;

	count(&w->counters.messages_dropped);
	count(&w->counters.retained_refused);
	if (log_limit_pass(&w->quota_limit, w->home.now_ms + 1, 10000, 5, &suppressed))
		LOG(RETAIN_REFUSED, F_TEXT("client_id", session_client_id(s)),
		    F_TEXT("user", session_user(s)), F_TEXT("topic", topic), F_STR("cause", cause),
		    F_NUM("suppressed", suppressed));
}
