/* The set of targets: swap-remove array, geometric growth, and a linear-probing index of positions.
 * The index is no table of base/table.h: targets move, so that its pointers would have to be
 * changed with each growth, and it takes 16 bytes a slot instead of 4. */
#include "tree/target_set.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

#define INDEX_FROM  24 /* targets from which an index (of 64 slots at first) pays */
#define INDEX_UNTIL 8  /* below this it goes again */

void target_set_fini(struct targets *t)
{
	free(t->at);
	free(t->index);
	*t = (struct targets){0};
}

static uint32_t slot_from(const struct targets *t, uint64_t session_id)
{
	return (uint32_t)hash_bytes(&session_id, sizeof(session_id)) & t->index_mask;
}

/* The slot that holds this session, or the free one where it belongs. */
static uint32_t slot_of(const struct targets *t, uint64_t session_id)
{
	uint32_t i = slot_from(t, session_id);

	while (t->index[i] != 0 && t->at[t->index[i] - 1].session_id != session_id)
		i = (i + 1) & t->index_mask;
	return i;
}

static void index_build(struct targets *t, uint32_t slots)
{
	free(t->index);
	t->index = xcalloc(slots, sizeof(*t->index));
	t->index_mask = slots - 1;
	for (uint32_t i = 0; i < t->count; i++)
		t->index[slot_of(t, t->at[i].session_id)] = i + 1;
}

/* Call while the array still holds what the index points to. */
static void index_forget(struct targets *t, uint64_t session_id)
{
	uint32_t gap = slot_of(t, session_id);

	for (uint32_t i = (gap + 1) & t->index_mask; t->index[i] != 0;
	     i = (i + 1) & t->index_mask) {
		uint32_t ideal = slot_from(t, t->at[t->index[i] - 1].session_id);

		if (((i - ideal) & t->index_mask) >= ((i - gap) & t->index_mask)) {
			t->index[gap] = t->index[i];
			gap = i;
		}
	}
	t->index[gap] = 0;
}

uint32_t target_set_find(const struct targets *t, uint64_t session_id)
{
	uint32_t position;

	if (t->index != NULL) {
		position = t->index[slot_of(t, session_id)];
		return position == 0 ? TARGET_NONE : position - 1;
	}
	for (uint32_t i = 0; i < t->count; i++) {
		if (t->at[i].session_id == session_id)
			return i;
	}
	return TARGET_NONE;
}

static void set_cap(struct targets *t, uint32_t cap)
{
	t->at = xrealloc_array(t->at, cap, sizeof(*t->at));
	t->cap = cap;
}

void target_set_append(struct targets *t, const struct route_target *target)
{
	if (t->count == t->cap)
		set_cap(t, t->cap == 0 ? 1 : t->cap * 2);
	t->at[t->count++] = *target;
	if (t->index == NULL && t->count >= INDEX_FROM)
		index_build(t, 64);
	else if (t->index != NULL && t->count > t->index_mask / 2)
		index_build(t, (t->index_mask + 1) * 2);
	else if (t->index != NULL)
		t->index[slot_of(t, target->session_id)] = t->count;
}

void target_set_swap(struct targets *t, uint32_t a, uint32_t b)
{
	struct route_target was = t->at[a];
	uint32_t slot_a, slot_b;

	REQUIRE(a < t->count && b < t->count);
	if (a == b)
		return;
	if (t->index != NULL) {
		slot_a = slot_of(t, t->at[a].session_id);
		slot_b = slot_of(t, t->at[b].session_id);
		t->index[slot_a] = b + 1;
		t->index[slot_b] = a + 1;
	}
	t->at[a] = t->at[b];
	t->at[b] = was;
}

void target_set_remove(struct targets *t, uint32_t position)
{
	REQUIRE(position < t->count);
	target_set_swap(t, position, t->count - 1);
	if (t->index != NULL)
		index_forget(t, t->at[t->count - 1].session_id);
	t->count--;
	if (t->count == 0) {
		target_set_fini(t);
		return;
	}
	if (t->count < t->cap / 4)
		set_cap(t, t->cap / 2);
	if (t->index == NULL)
		return;
	if (t->count < INDEX_UNTIL) {
		free(t->index);
		t->index = NULL;
	} else if (t->count < t->index_mask / 8) {
		index_build(t, (t->index_mask + 1) / 2);
	}
}
