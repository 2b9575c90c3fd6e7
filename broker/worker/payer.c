/* Records by kind and key; a sum over the parts is right when nobody counts meanwhile, and nearly
 * right else. */
#include "worker/payer.h"

#include <stdlib.h>

#include "base/alloc.h"

/* For the keys of all but a few. */
#define KEY_SPACE 256

void payers_init(struct payers *p, unsigned workers)
{
	*p = (struct payers){.workers = workers};
	mutex_init(&p->lock, LOCK_PAYER);
}

void payers_fini(struct payers *p)
{
	REQUIRE(p->by_key == NULL);
	mutex_fini(&p->lock);
}

static struct payer *payer_new(const struct payers *p, const uint8_t *key, size_t key_len)
{
	size_t size = sizeof(struct payer) + p->workers * sizeof(struct payer_part);
	struct payer *payer = aligned_alloc(_Alignof(struct payer), size);

	REQUIRE(payer != NULL);
	memset(payer, 0, size);
	payer->kind = (enum payer_kind)key[0];
	payer->part_count = p->workers;
	payer->key_len = key_len;
	payer->key = xalloc(key_len);
	memcpy(payer->key, key, key_len);
	return payer;
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */

/* Hashed once, and before the lock is taken. */
static struct payer *find_or_make(struct payers *p, const uint8_t *key, size_t key_len)
{
	struct payer *payer;
	unsigned hash;

	HASH_VALUE(key, key_len, hash);
	mutex_lock(&p->lock);
	HASH_FIND_BYHASHVALUE(hh, p->by_key, key, key_len, hash, payer);
	if (payer == NULL) {
		payer = payer_new(p, key, key_len);
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, p->by_key, payer->key, payer->key_len, hash, payer);
	}
	payer->refs++;
	mutex_unlock(&p->lock);
	return payer;
}

struct payer *payers_find(struct payers *p, enum payer_kind kind, struct slice key)
{
	uint8_t space[KEY_SPACE], *whole = space;
	struct payer *payer;

	if (key.len >= sizeof(space))
		whole = xalloc(key.len + 1);
	whole[0] = (uint8_t)kind;
	if (key.len > 0)
		memcpy(whole + 1, key.data, key.len);
	payer = find_or_make(p, whole, key.len + 1);
	if (whole != space)
		free(whole);
	return payer;
}

struct payer *payer_ref(struct payers *p, struct payer *payer)
{
	mutex_lock(&p->lock);
	REQUIRE(payer->refs > 0);
	payer->refs++;
	mutex_unlock(&p->lock);
	return payer;
}

void payer_unref(struct payers *p, struct payer **payer)
{
	struct payer *left = *payer;
	bool last;

	*payer = NULL;
	if (left == NULL)
		return;
	mutex_lock(&p->lock);
	REQUIRE(left->refs > 0);
	last = --left->refs == 0;
	if (last)
		HASH_DEL(p->by_key, left);
	mutex_unlock(&p->lock);
	if (!last)
		return;
	REQUIRE(payer_memory(left) == 0 && payer_connections(left) == 0);
	free(left->key);
	free(left);
}

/* NOLINTEND(readability-function-size) */

uint64_t payer_memory(const struct payer *payer)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < payer->part_count; i++)
		sum += atomic_load_explicit(&payer->parts[i].memory_bytes, memory_order_relaxed);
	return sum;
}

uint64_t payer_connections(const struct payer *payer)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < payer->part_count; i++)
		sum += atomic_load_explicit(&payer->parts[i].connections, memory_order_relaxed);
	return sum;
}

void payers_visit(struct payers *p, payer_visit_fn *visit, void *arg)
{
	struct payer *payer, *next;

	mutex_lock(&p->lock);
	HASH_ITER (hh, p->by_key, payer, next) {
		visit(arg, payer);
	}
	mutex_unlock(&p->lock);
}
