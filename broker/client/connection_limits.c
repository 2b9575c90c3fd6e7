/* Two counters by key. */
#include "client/connection_limits.h"

#include <string.h>

#include "session/session.h"
#include "worker/shared.h"

static uint32_t max_of(uint32_t limit)
{
	return limit == 0 ? UINT32_MAX - 1 : limit;
}

bool connection_limits_take_address(struct worker *w, struct stream *stream,
                                    const struct conf_listener *l)
{
	char peer[STREAM_PEER_TEXT];
	uint32_t suppressed;

	REQUIRE_EXECUTOR(&w->executor);
	if (keyed_counter_take(&w->shared->address_connections, stream_peer_key(stream),
	                       max_of(l->limits.connections_per_address)))
		return true;
	if (!log_limit_pass(EVENT_CONNECTION_CLOSED_BEFORE_CONNECT, &w->quota_limit,
	                    w->executor.now_ms + 1, 10000, 5, &suppressed))
		return false;
	stream_peer_text(stream, peer, sizeof(peer));
	LOG(CONNECTION_CLOSED_BEFORE_CONNECT, .peer = peer, .listener = l->bind, .sni = "",
	    .client_id = SLICE_EMPTY, .user = SLICE_EMPTY,
	    .reason = reason_name(REASON_QUOTA_EXCEEDED),
	    .cause = "limits.connections_per_address is reached", .suppressed = suppressed);
	return false;
}

void connection_limits_give_address(struct worker *w, const struct stream *stream)
{
	keyed_counter_give(&w->shared->address_connections, stream_peer_key(stream));
}

bool connection_limits_take_user(struct conn *c, const struct session *s)
{
	struct worker *w = c->link.worker;
	uint32_t max = max_of(client_link_limits(&c->link)->connections_per_user);

	REQUIRE_OWNER(&c->link);
	REQUIRE(!c->user_counted && c->identity != NULL);
	if (s != NULL && s->link != NULL)
		max++;
	c->user_counted = keyed_counter_take(&w->shared->user_connections, c->identity->key, max);
	return c->user_counted;
}

void connection_limits_give_user(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	if (c->user_counted)
		keyed_counter_give(&c->link.worker->shared->user_connections, c->identity->key);
	c->user_counted = false;
}

static struct listener_counts *listener_of(const struct conn *c)
{
	return &c->link.worker->shared->listeners[stream_listener(c->link.stream)];
}

static enum listener_tls tls_of(const struct conn *c)
{
	const char *version = stream_tls_version(c->link.stream);

	if (version[0] != 'T') /* "none" */
		return LISTENER_TLS_NONE;
	return strcmp(version, "TLSv1.3") == 0 ? LISTENER_TLS_1_3 : LISTENER_TLS_1_2;
}

void connection_limits_begin_client(struct conn *c)
{
	struct listener_counts *l = listener_of(c);

	REQUIRE_OWNER(&c->link);
	atomic_fetch_add(&l->clients, 1);
	atomic_fetch_add(&l->clients_by_tls[tls_of(c)], 1);
	atomic_fetch_add(&l->accepted, 1);
}

void connection_limits_end_client(struct conn *c)
{
	struct listener_counts *l = listener_of(c);

	REQUIRE_OWNER(&c->link);
	atomic_fetch_sub(&l->clients, 1);
	atomic_fetch_sub(&l->clients_by_tls[tls_of(c)], 1);
}
