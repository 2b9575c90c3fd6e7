/* Counts by key. */
#include "base/keyed_counter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

struct keyed_counter_entry {
	UT_hash_handle hh;
	uint32_t count;
	size_t key_len;
	uint8_t key[];
};

void keyed_counter_init(struct keyed_counter *t)
{
	*t = (struct keyed_counter){0};
	mutex_init(&t->lock, LOCK_KEYED_COUNTER);
}

void keyed_counter_fini(struct keyed_counter *t)
{
	REQUIRE(t->entries == NULL);
	mutex_fini(&t->lock);
}

/* Before the lock is taken. */
static unsigned hash_of(struct slice key)
{
	unsigned hash;

	HASH_VALUE(key.len > 0 ? (const void *)key.data : "", key.len, hash);
	return hash;
}

static struct keyed_counter_entry *find_entry(struct keyed_counter *t, struct slice key,
                                              unsigned hash)
{
	const void *data = key.len > 0 ? (const void *)key.data : "";
	struct keyed_counter_entry *e;

	HASH_FIND_BYHASHVALUE(hh, t->entries, data, key.len, hash, e);
	return e;
}

static struct keyed_counter_entry *make_entry(struct keyed_counter *t, struct slice key,
                                              unsigned hash)
{
	struct keyed_counter_entry *e = xcalloc(1, sizeof(*e) + key.len);

	e->key_len = key.len;
	if (key.len > 0)
		memcpy(e->key, key.data, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, t->entries, e->key, e->key_len, hash, e);
	return e;
}

bool keyed_counter_take(struct keyed_counter *t, struct slice key, uint32_t max)
{
	const unsigned hash = hash_of(key);
	struct keyed_counter_entry *e;
	bool taken;

	mutex_lock(&t->lock);
	e = find_entry(t, key, hash);
	taken = e == NULL ? max > 0 : e->count < max;
	if (taken && e == NULL)
		e = make_entry(t, key, hash);
	if (taken)
		e->count++;
	mutex_unlock(&t->lock);
	return taken;
}

void keyed_counter_give(struct keyed_counter *t, struct slice key)
{
	const unsigned hash = hash_of(key);
	struct keyed_counter_entry *e;

	mutex_lock(&t->lock);
	e = find_entry(t, key, hash);
	REQUIRE(e != NULL && e->count > 0);
	if (--e->count == 0) {
		HASH_DEL(t->entries, e);
		free(e);
	}
	mutex_unlock(&t->lock);
}

uint32_t keyed_counter_get(struct keyed_counter *t, struct slice key)
{
	const unsigned hash = hash_of(key);
	const struct keyed_counter_entry *e;
	uint32_t count;

	mutex_lock(&t->lock);
	e = find_entry(t, key, hash);
	count = e == NULL ? 0 : e->count;
	mutex_unlock(&t->lock);
	return count;
}
