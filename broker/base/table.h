/* A table of pointers by 64-bit hash: 16 bytes a slot, where uthash takes 56 in every entry.  For
 * things of which there are a hundred thousand.  The hash is the caller's: hash_bytes() where peers
 * choose the key, hash_id() for ids that are our own.  Thread: the owner's. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t hash;
	void *item; /* NULL: free */
};

/* Zero-initialised is empty. */
struct table {
	struct table_slot *slots;
	uint32_t slot_count; /* a power of two, or 0 */
	uint32_t count;
};

void table_fini(struct table *t); /* not what the items are */

/* Is this the item of that key? */
typedef bool table_same_fn(const void *item, const void *key);

/* The address of the pointer to the item, valid until something is added or removed; NULL: none.
 * `same` NULL: the hash is the key, as hash_id's is. */
void **table_find(const struct table *t, uint64_t hash, table_same_fn *same, const void *key);
/* Must not be there yet. */
void table_add(struct table *t, uint64_t hash, void *item);
/* Twice as many slots: for who wants fewer collisions than a table that is full to seven eighths
 * has. */
void table_grow(struct table *t);
/* Must be there. */
void table_remove(struct table *t, uint64_t hash, const void *item);

/* All items of a hash, without a call for each: for lookups on hot paths. table_probe_next gives
 * the address of the pointer to the next one, NULL: that was all. */
struct table_probe {
	const struct table *table;
	uint64_t hash;
	uint32_t at;
};

static inline struct table_probe table_probe_of(const struct table *t, uint64_t hash)
{
	return (struct table_probe){.table = t, .hash = hash, .at = (uint32_t)hash};
}

/* Begin to fetch what a probe will look at. */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
	if (t->slot_count > 0)
		__builtin_prefetch(&t->slots[(uint32_t)hash & (t->slot_count - 1)]);
}

static inline void **table_probe_next(struct table_probe *p)
{
	const struct table *t = p->table;
	uint32_t mask = t->slot_count - 1;

	if (t->slot_count == 0)
		return NULL;
	for (;;) {
		struct table_slot *slot = &t->slots[p->at++ & mask];

		if (slot->item == NULL)
			return NULL;
		if (slot->hash == p->hash)
			return &slot->item;
	}
}

/* All items, in any order. Meanwhile nothing may be added; of those in the table the one given last
 * may be removed. */
struct table_walk {
	const struct table *table;
	uint32_t at, left;
};
struct table_walk table_walk_of(const struct table *t);
void *table_walk_next(struct table_walk *walk); /* NULL: that was all */

/* Of an id that no peer can choose. No two ids have the same. */
static inline uint64_t hash_id(uint64_t id)
{
	id *= 0x9e3779b97f4a7c15u;
	return id ^ (id >> 32);
}

#endif
