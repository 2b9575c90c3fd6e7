/* What all workers have is summed only when a worker has used up its part of what is left below the
 * threshold: until then a message costs one comparison. */
#include "worker/memory_quota.h"

#include "tree/retain_limits.h"
#include "worker/quota_rule.h"
#include "worker/shared.h"

/* --- memory --- */

uint64_t quota_memory_used(const struct server *server)
{
	struct retain_counts retained;
	uint64_t sum;

	retain_count(server->retain, &retained);
	sum = retained.bytes;
	for (unsigned i = 0; i < server->worker_count; i++)
		sum += atomic_load_explicit(&server->workers[i]->counters.memory_bytes,
		                            memory_order_relaxed);
	return sum;
}

uint64_t quota_memory_paid(const struct server *server, const struct payer *payer)
{
	uint64_t paid = payer_memory(payer);

	if (payer->kind == PAYER_USER)
		paid += retain_limits_user_bytes(server->retain, payer_key(payer));
	return paid;
}

/* Who has not logged in needs little, and may be somebody who has much already under a name. */
static uint64_t unauthenticated_share(uint64_t share, uint64_t whole)
{
	uint64_t small = whole / 16;

	return small != 0 && (share == 0 || small < share) ? small : share;
}

static uint64_t share_of(const struct config_snapshot *snapshot, enum payer_kind kind,
                         uint64_t configured, uint64_t whole)
{
	uint64_t share = quota_rule_share(configured, whole);

	if (kind == PAYER_UNAUTHENTICATED)
		return snapshot->has_address_shares ? unauthenticated_share(share, whole) : 0;
	return snapshot->has_shares ? share : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The parts of all workers together are at most half of what is left below the threshold, and no
 * more than the reserve: that much may be taken without asking when the others have filled it. */
static void refill(struct worker *w, const struct quota_rule *rule)
{
	uint64_t threshold = quota_rule_threshold(rule->whole);
	uint64_t left = rule->used < threshold ? threshold - rule->used : 0;

	/* mutant: memory_stale_space */
	w->room =
	    (struct quota_room){.whole = rule->whole,
	                        .bytes = least(left / 2, rule->reserve) / w->server->worker_count};
}

static const char *verdict_text(enum quota_verdict verdict, const char *share, const char *whole)
{
	switch (verdict) {
	case QUOTA_ALLOWED:
		break;
	case QUOTA_OVER_SHARE:
		return share;
	case QUOTA_FULL:
		return whole;
	}
	return NULL;
}

static const char *check_memory(struct worker *w, const struct payer *payer, size_t bytes,
                                bool drains)
{
	const struct conf_shared_limits *shared = &w->snapshot->conf->shared;
	struct quota_rule rule = {.whole = shared->memory_bytes,
	                          .reserve = quota_rule_reserve(shared->memory_bytes)};

	rule.share = share_of(w->snapshot, payer->kind, shared->memory_per_user, rule.whole);
	if (rule.whole == 0 && rule.share == 0)
		return NULL;
	rule.used = quota_memory_used(w->server);
	refill(w, &rule);
	return verdict_text(
	    quota_rule_check(&rule, quota_memory_paid(w->server, payer), bytes, drains),
	    "limits.memory_per_user is reached", "limits.memory is reached");
}

static bool take_space(struct worker *w, size_t bytes)
{
	if (w->room.bytes < bytes || w->room.whole != w->snapshot->conf->shared.memory_bytes)
		return false;
	w->room.bytes -= bytes;
	return true;
}

const char *quota_memory(struct worker *w, const struct payer *payer, size_t bytes)
{
	return take_space(w, bytes) ? NULL : check_memory(w, payer, bytes, false);
}

const char *quota_memory_drain(struct worker *w, const struct payer *payer, size_t bytes)
{
	return take_space(w, bytes) ? NULL : check_memory(w, payer, bytes, true);
}

static void report_memory(struct worker *w, const struct session *s, const char *peer,
                          const char *what, const char *cause)
{
	uint32_t suppressed;

	count(&w->counters.memory_refused);
	if (log_limit_pass(&w->memory_limit, w->executor.now_ms + 1, 10000, 5, &suppressed))
		LOG(MEMORY_REFUSED, .client_id = s == NULL ? SLICE_EMPTY : session_client_id(s),
		    .user = s == NULL ? SLICE_EMPTY : session_user(s), .peer = peer, .what = what,
		    .cause = cause, .suppressed = suppressed);
}

void quota_report_memory(struct conn *c, const char *what, const char *cause)
{
	char peer[STREAM_PEER_TEXT];

	stream_peer_text(c->stream, peer, sizeof(peer));
	report_memory(c->worker, c->session, peer, what, cause);
}

void quota_report_session(const struct session *s, const char *what, const char *cause)
{
	if (s->conn != NULL)
		quota_report_memory(s->conn, what, cause);
	else
		report_memory(s->worker, s, "", what, cause);
}

/* --- retained --- */

/* The share of retained_bytes: the whole is judged by retain_limits_exceeded, with its own words.
 */
static const char *check_retained_share(struct worker *w, const struct payer *writer, uint64_t more,
                                        uint64_t more_of_writer)
{
	const struct conf_shared_limits *shared = &w->snapshot->conf->shared;
	struct quota_rule rule = {.whole = shared->retained_bytes};
	struct retain_counts retained;
	uint64_t paid;

	rule.share = share_of(w->snapshot, PAYER_USER, shared->retained_bytes_per_user, rule.whole);
	if (rule.share == 0)
		return NULL;
	retain_count(w->server->retain, &retained);
	rule.used = retained.bytes;
	paid = retain_limits_user_bytes(w->server->retain, payer_key(writer));
	return verdict_text(quota_rule_check(&rule, paid + more_of_writer - more, more, false),
	                    "limits.retained_bytes_per_user is reached",
	                    "limits.retained_bytes is reached");
}

const char *quota_retained(struct worker *w, const struct payer *writer,
                           const struct retain_change *change, const struct msg *msg)
{
	const struct conf_shared_limits *shared = &w->snapshot->conf->shared;
	struct retain_limits limits = {.values = shared->retained_messages,
	                               .values_per_user = shared->retained_per_user,
	                               .bytes = shared->retained_bytes};
	const char *exceeds = retain_limits_exceeded(change, msg, &limits);
	uint64_t more, more_of_writer;

	retain_limits_growth(change, msg, &more, &more_of_writer);
	/* mutant: retained_share */
	if (exceeds == NULL && more > 0)
		exceeds = check_retained_share(w, writer, more, more_of_writer);
	if (exceeds == NULL && more > 0)
		exceeds = quota_memory(w, writer, more);
	return exceeds;
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

	if (keyed_counter_take(&w->server->address_connections, stream_peer_key(stream),
	                       max_of(l->limits.connections_per_address)))
		return true;
	if (!log_limit_pass(&w->quota_limit, w->executor.now_ms + 1, 10000, 5, &suppressed))
		return false;
	stream_peer_text(stream, peer, sizeof(peer));
	LOG(CONNECTION_CLOSED_BEFORE_CONNECT, .peer = peer, .listener = l->bind,
	    .reason = reason_name(REASON_QUOTA_EXCEEDED),
	    .cause = "limits.connections_per_address is reached", .suppressed = suppressed);
	return false;
}

void quota_address_give(struct worker *w, const struct stream *stream)
{
	keyed_counter_give(&w->server->address_connections, stream_peer_key(stream));
}

bool quota_user_take(struct conn *c, const struct session *s)
{
	struct worker *w = c->worker;
	uint32_t max = max_of(worker_limits(w, c)->connections_per_user);

	if (s != NULL && s->conn != NULL)
		max++;
	c->user_counted = keyed_counter_take(&w->server->user_connections, c->identity->key, max);
	return c->user_counted;
}

void quota_user_give(struct conn *c)
{
	if (c->user_counted)
		keyed_counter_give(&c->worker->server->user_connections, c->identity->key);
	c->user_counted = false;
}

/* --- retained --- */

void quota_report_refused(const struct session *s, struct slice topic, const char *cause)
{
	struct worker *w = s->worker;
	uint32_t suppressed;

	count(&w->counters.messages_dropped);
	count(&w->counters.retained_refused);
	if (log_limit_pass(&w->quota_limit, w->executor.now_ms + 1, 10000, 5, &suppressed))
		LOG(RETAIN_REFUSED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = topic, .cause = cause, .suppressed = suppressed);
}
