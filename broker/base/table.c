/* Open addressing, linear probing, removal by shifting back, so that no slot is marked as deleted.
 */
#include "base/table.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define SLOTS_MIN 8

void table_fini(struct table *t)
{
	free(t->slots);
	*t = (struct table){0};
}

static uint32_t mask_of(const struct table *t)
{
	return t->slot_count - 1;
}

void **table_find(const struct table *t, uint64_t hash, table_same_fn *same, const void *key)
{
	struct table_probe probe = table_probe_of(t, hash);
	void **item;

	while ((item = table_probe_next(&probe)) != NULL) {
		if (same == NULL || same(*item, key))
			return item;
	}
	return NULL;
}

static void place_slot(struct table *t, struct table_slot slot)
{
	uint32_t i = (uint32_t)slot.hash & mask_of(t);

	while (t->slots[i].item != NULL)
		i = (i + 1) & mask_of(t);
	t->slots[i] = slot;
}

static void resize_slots(struct table *t, uint32_t slot_count)
{
	struct table_slot *old = t->slots;
	uint32_t old_count = t->slot_count;

	t->slots = xcalloc(slot_count, sizeof(*t->slots));
	t->slot_count = slot_count;
	for (uint32_t i = 0; i < old_count; i++) {
		if (old[i].item != NULL)
			place_slot(t, old[i]);
	}
	free(old);
}

void table_grow(struct table *t)
{
	resize_slots(t, t->slot_count == 0 ? SLOTS_MIN : t->slot_count * 2);
}

void table_add(struct table *t, uint64_t hash, void *item)
{
	REQUIRE(item != NULL && t->count < UINT32_MAX / 4);
	/* It shrinks here only: table_remove must not move what a walk has yet to give. */
	if (t->slot_count == 0)
		resize_slots(t, SLOTS_MIN);
	else if (t->count >= t->slot_count / 8 * 7)
		resize_slots(t, t->slot_count * 2);
	else if (t->slot_count > SLOTS_MIN && t->count < t->slot_count / 8)
		resize_slots(t, t->slot_count / 4 < SLOTS_MIN ? SLOTS_MIN : t->slot_count / 4);
	place_slot(t, (struct table_slot){.hash = hash, .item = item});
	t->count++;
}

static uint32_t slot_of(const struct table *t, uint64_t hash, const void *item)
{
	uint32_t i;

	REQUIRE(t->count > 0);
	for (i = (uint32_t)hash & mask_of(t); t->slots[i].item != item; i = (i + 1) & mask_of(t))
		REQUIRE(t->slots[i].item != NULL);
	return i;
}

void table_remove(struct table *t, uint64_t hash, const void *item)
{
	uint32_t gap = slot_of(t, hash, item);
	uint32_t mask = mask_of(t);

	/* Whatever probed over the gap moves back into it. */
	for (uint32_t i = (gap + 1) & mask; t->slots[i].item != NULL; i = (i + 1) & mask) {
		uint32_t ideal = (uint32_t)t->slots[i].hash & mask;

		if (((i - ideal) & mask) >= ((i - gap) & mask)) {
			t->slots[gap] = t->slots[i];
			gap = i;
		}
	}
	t->slots[gap] = (struct table_slot){0};
	REQUIRE(t->count <= t->slot_count);
	if (--t->count == 0)
		table_fini(t);
}

/* Downwards from a free slot: what a removal moves comes from above, that is, from what was given
 * already, and never from beyond the free slot. */
struct table_walk table_walk_of(const struct table *t)
{
	struct table_walk walk = {.table = t, .left = t->slot_count};

	while (t->count > 0 && t->slots[walk.at].item != NULL)
		walk.at++;
	return walk;
}

void *table_walk_next(struct table_walk *walk)
{
	const struct table *t = walk->table;

	while (t->count > 0 && walk->left > 0) {
		walk->left--;
		walk->at = (walk->at - 1) & mask_of(t);
		if (t->slots[walk->at].item != NULL)
			return t->slots[walk->at].item;
	}
	return NULL;
}
