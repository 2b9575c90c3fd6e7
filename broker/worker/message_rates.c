/* A bucket that is full again is one like any other, and is forgotten. */
#include "worker/message_rates.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/rate_limiter.h"

/* Looked at whenever one is spent: more than come, so that they do not grow. */
#define LOOKS 2

struct message_rate {
	UT_hash_handle hh;
	struct message_rate *prev, *next;
	struct rate_limiter limiter;
	size_t key_len;
	uint8_t key[];
};

void message_rates_init(struct message_rates *t)
{
	*t = (struct message_rates){0};
	mutex_init(&t->lock, LOCK_MESSAGE_RATES);
}

/* Under the lock. */
static void forget(struct message_rates *t, struct message_rate *r)
{
	/* It is in the table. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	HASH_DEL(t->by_key, r);
	DL_DELETE(t->looked, r);
	free(r);
}

void message_rates_fini(struct message_rates *t)
{
	while (t->looked != NULL)
		forget(t, t->looked);
	mutex_fini(&t->lock);
}

/* Under the lock. */
static void forget_full(struct message_rates *t, uint64_t now_ms)
{
	for (unsigned i = 0; i < LOOKS && t->looked != NULL; i++) {
		struct message_rate *r = t->looked;

		/* mutant: full_buckets_are_forgotten */
		if (rate_limiter_is_full(&r->limiter, now_ms)) {
			forget(t, r);
		} else {
			DL_DELETE(t->looked, r);
			DL_APPEND(t->looked, r);
		}
	}
}

/* Under the lock. */
static struct message_rate *find_or_make(struct message_rates *t, struct slice key)
{
	struct message_rate *r;
	unsigned hash;

	HASH_VALUE(key.data, key.len, hash);
	HASH_FIND_BYHASHVALUE(hh, t->by_key, key.data, key.len, hash, r);
	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r) + key.len);
	r->key_len = key.len;
	memcpy(r->key, key.data, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, t->by_key, r->key, r->key_len, hash, r);
	DL_APPEND(t->looked, r);
	return r;
}

uint64_t message_rates_spend(struct message_rates *t, struct slice key, uint32_t per_second,
                             uint64_t now_ms, uint64_t max_wait_ms)
{
	struct message_rate *r;
	struct rate_limiter after;
	uint64_t wait_ms;

	REQUIRE(key.len > 0 && per_second > 0);
	mutex_lock(&t->lock);
	forget_full(t, now_ms);
	r = find_or_make(t, key);
	after = r->limiter;
	wait_ms = rate_limiter_spend(&after, per_second, now_ms);
	/* mutant: refused_messages_cost_nothing */
	if (wait_ms <= max_wait_ms)
		r->limiter = after;
	mutex_unlock(&t->lock);
	return wait_ms;
}

unsigned message_rates_count(struct message_rates *t)
{
	unsigned count;

	mutex_lock(&t->lock);
	count = HASH_COUNT(t->by_key);
	mutex_unlock(&t->lock);
	return count;
}
