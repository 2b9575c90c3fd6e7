/* The share of the store that the queues of one user may take.  The journal counts it for the payer
 * and asks before it stores a message that somebody waits for; where nobody waits, the session
 * asks. */
#include "durability/store_quota.h"

#include "durability/record_codec.h"
#include "worker/quota_rule.h"
#include "worker/shared.h"
#include "worker/worker.h"

static void *find_owner(void *arg, struct slice session_value)
{
	struct shared *shared = arg;
	struct session_record record;
	struct identity *identity;
	struct payer *payer;

	if (!record_read_session(session_value, &record))
		return NULL;
	identity = identity_new(record.user.kind, record.user.name, record.user.entry_id,
	                        record.user.credential);
	payer = payers_find(&shared->payers, PAYER_USER, identity->key);
	identity_unref(&identity);
	return payer;
}

static void drop_owner(void *arg, void *owner)
{
	struct shared *shared = arg;
	struct payer *payer = owner;

	payer_unref(&shared->payers, &payer);
}

static void add_to_owner(void *owner, uint64_t bytes)
{
	struct payer *payer = owner;

	atomic_fetch_add_explicit(&payer->store_bytes, bytes, memory_order_relaxed);
}

/* At the whole nobody is refused here: publishers wait then (route.c). */
static bool fits_share(const struct shared *shared, const struct quota_rule *space, uint64_t paid,
                       uint64_t bytes)
{
	struct quota_rule rule = *space;

	rule.share = atomic_load_explicit(&shared->store_share, memory_order_relaxed);
	return rule.share == 0 || quota_rule_check(&rule, paid, bytes, false) != QUOTA_OVER_SHARE;
}

static uint64_t store_bytes(const struct payer *payer)
{
	return atomic_load_explicit(&payer->store_bytes, memory_order_relaxed);
}

static bool admits(void *arg, const void *owner, uint64_t used, uint64_t whole, uint64_t bytes)
{
	struct quota_rule space = {.whole = whole, .used = used};

	return fits_share(arg, &space, store_bytes(owner), bytes);
}

const char *store_quota_exceeds(const struct worker *w, const struct payer *payer,
                                uint64_t own_bytes, size_t bytes)
{
	uint64_t paid = store_bytes(payer);
	struct quota_rule space = {0};

	REQUIRE_EXECUTOR(&w->executor);
	journal_space(w->shared->journal, &space.used, &space.whole);
	return fits_share(w->shared, &space, own_bytes > paid ? own_bytes : paid, bytes)
	           ? NULL
	           : "limits.store_per_user is reached";
}

void store_quota_set(struct shared *shared, const struct config_snapshot *snapshot)
{
	const struct conf *conf = snapshot->conf;
	uint64_t share = quota_rule_share(conf->shared.store_per_user, conf->persistence_max_bytes);

	atomic_store(&shared->store_share, snapshot->has_shares ? share : 0);
}

void store_quota_begin(struct shared *shared)
{
	const struct journal_owners owners = {.find = find_owner,
	                                      .drop = drop_owner,
	                                      .add = add_to_owner,
	                                      .admits = admits,
	                                      .arg = shared};

	journal_set_owners(shared->journal, &owners);
}
