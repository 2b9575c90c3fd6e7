/* What all workers have is summed only when a worker has used up its part of what is left below the
 * threshold: until then a message costs one comparison. */
#include "worker/memory_quota.h"

#include "tree/retain.h"
#include "tree/retain_limits.h"
#include "worker/quota_rule.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* --- memory --- */

uint64_t quota_memory_used(const struct shared *shared)
{
	struct retain_counts retained;
	uint64_t sum;

	retain_count(shared->retain, &retained);
	sum = retained.bytes;
	for (unsigned i = 0; i < shared->worker_count; i++)
		sum += atomic_load_explicit(&shared->workers[i]->counters.memory_bytes,
		                            memory_order_relaxed);
	return sum;
}

uint64_t quota_memory_paid(const struct shared *shared, const struct payer *payer)
{
	uint64_t paid = payer_memory(payer);

	if (payer->kind == PAYER_USER)
		paid += retain_limits_user_bytes(shared->retain, payer_key(payer));
	return paid;
}

static uint64_t share_of(const struct config_snapshot *snapshot, enum payer_kind kind,
                         uint64_t configured, uint64_t whole)
{
	uint64_t share = quota_rule_share(configured, whole), small = whole / 16;

	if (kind != PAYER_UNAUTHENTICATED)
		return snapshot->has_shares ? share : 0;
	/* Who has not logged in needs little, and may be somebody who has much already under a
	 * name. */
	if (!snapshot->has_address_shares)
		return 0;
	return small != 0 && (share == 0 || small < share) ? small : share;
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
	w->space =
	    (struct quota_space){.whole = rule->whole,
	                         .bytes = least(left / 2, rule->reserve) / w->shared->worker_count};
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
	const struct conf_shared_limits *configured = &w->snapshot->conf->shared;
	struct quota_rule rule = {.whole = configured->memory_bytes,
	                          .reserve = quota_rule_reserve(configured->memory_bytes)};

	rule.share = share_of(w->snapshot, payer->kind, configured->memory_per_user, rule.whole);
	if (rule.whole == 0 && rule.share == 0)
		return NULL;
	rule.used = quota_memory_used(w->shared);
	refill(w, &rule);
	return verdict_text(
	    quota_rule_check(&rule, quota_memory_paid(w->shared, payer), bytes, drains),
	    "limits.memory_per_user is reached", "limits.memory is reached");
}

static bool take_space(struct worker *w, size_t bytes)
{
	if (w->space.bytes < bytes || w->space.whole != w->snapshot->conf->shared.memory_bytes)
		return false;
	w->space.bytes -= bytes;
	return true;
}

const char *quota_memory(struct worker *w, const struct payer *payer, size_t bytes)
{
	REQUIRE_EXECUTOR(&w->executor);
	return take_space(w, bytes) ? NULL : check_memory(w, payer, bytes, false);
}

const char *quota_memory_drain(struct worker *w, const struct payer *payer, size_t bytes)
{
	REQUIRE_EXECUTOR(&w->executor);
	return take_space(w, bytes) ? NULL : check_memory(w, payer, bytes, true);
}

void quota_report_memory(struct worker *w, const struct quota_refusal *refusal)
{
	uint32_t suppressed;

	REQUIRE_EXECUTOR(&w->executor);
	count(&w->counters.memory_refused);
	if (log_limit_pass(EVENT_MEMORY_REFUSED, &w->memory_limit, w->executor.now_ms + 1, 10000, 5,
	                   &suppressed))
		LOG(MEMORY_REFUSED, .client_id = refusal->client_id, .user = refusal->user,
		    .peer = refusal->peer, .what = refusal->what, .cause = refusal->cause,
		    .suppressed = suppressed);
}

/* --- retained --- */

/* The share of retained_bytes: retain_limits_exceeded checks the whole, with its own texts.
 */
static const char *check_retained_share(struct worker *w, const struct payer *writer, uint64_t more,
                                        uint64_t more_of_writer)
{
	const struct conf_shared_limits *configured = &w->snapshot->conf->shared;
	struct quota_rule rule = {.whole = configured->retained_bytes};
	struct retain_counts retained;
	uint64_t paid;

	rule.share =
	    share_of(w->snapshot, PAYER_USER, configured->retained_bytes_per_user, rule.whole);
	if (rule.share == 0)
		return NULL;
	retain_count(w->shared->retain, &retained);
	rule.used = retained.bytes;
	paid = retain_limits_user_bytes(w->shared->retain, payer_key(writer));
	return verdict_text(quota_rule_check(&rule, paid + more_of_writer - more, more, false),
	                    "limits.retained_bytes_per_user is reached",
	                    "limits.retained_bytes is reached");
}

const char *quota_retained(struct worker *w, const struct payer *writer,
                           const struct retain_change *change, const struct msg *msg)
{
	const struct conf_shared_limits *configured = &w->snapshot->conf->shared;
	struct retain_limits limits = {.values = configured->retained_messages,
	                               .values_per_user = configured->retained_per_user,
	                               .bytes = configured->retained_bytes};
	const char *exceeds = retain_limits_exceeded(change, msg, &limits);
	uint64_t more, more_of_writer;

	REQUIRE_EXECUTOR(&w->executor);
	retain_require_locked(change);
	retain_limits_growth(change, msg, &more, &more_of_writer);
	/* mutant: retained_share */
	if (exceeds == NULL && more > 0)
		exceeds = check_retained_share(w, writer, more, more_of_writer);
	if (exceeds == NULL && more > 0)
		exceeds = quota_memory(w, writer, more);
	return exceeds;
}

void quota_report_retained(struct worker *w, const struct quota_refusal *refusal,
                           struct slice topic)
{
	uint32_t suppressed;

	REQUIRE_EXECUTOR(&w->executor);
	count_drop(&w->counters, DROP_RETAINED_LIMIT);
	count(&w->counters.retained_refused);
	if (log_limit_pass(EVENT_RETAIN_REFUSED, &w->quota_limit, w->executor.now_ms + 1, 10000, 5,
	                   &suppressed))
		LOG(RETAIN_REFUSED, .client_id = refusal->client_id, .user = refusal->user,
		    .topic = topic, .cause = refusal->cause, .suppressed = suppressed);
}
