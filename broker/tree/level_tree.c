/* The table of a level tree: open addressing, linear probing, removal by shifting back, so that
 * no slot is marked as deleted.  The caller's locks protect it. */
#include "tree/level_tree.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"

#define SLOTS_MIN 16

void level_tree_init(struct level_tree *t, size_t node_bytes)
{
	REQUIRE(node_bytes >= sizeof(struct level_node));
	*t = (struct level_tree){
	    .slots = xcalloc(SLOTS_MIN, sizeof(*t->slots)),
	    .mask = SLOTS_MIN - 1,
	    .node_bytes = node_bytes,
	    .plus = level_tree_hash(SLICE("+")),
	    .multi = level_tree_hash(SLICE("#")),
	    .root = xcalloc(1, node_bytes),
	};
	t->root->hash = level_tree_hash(SLICE("/")); /* as secret as all others */
}

void level_tree_fini(struct level_tree *t)
{
	for (size_t i = 0; i <= t->mask; i++)
		free(t->slots[i].node);
	free(t->slots);
	free(t->root);
	*t = (struct level_tree){0};
}

static void place_node(struct level_tree *t, struct level_node *n)
{
	size_t i = n->hash & t->mask;

	while (t->slots[i].node != NULL)
		i = (i + 1) & t->mask;
	t->slots[i] = (struct level_slot){.hash = n->hash, .node = n};
}

static void resize_slots(struct level_tree *t, size_t slots)
{
	struct level_slot *old = t->slots;
	size_t old_slots = t->mask + 1;

	t->slots = xcalloc(slots, sizeof(*t->slots));
	t->mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++) {
		if (old[i].node != NULL)
			place_node(t, old[i].node);
	}
	free(old);
}

static uint8_t wild_bit(struct slice level)
{
	if (slice_equal(level, SLICE("+")))
		return LEVEL_PLUS;
	return slice_equal(level, SLICE("#")) ? LEVEL_MULTI : 0;
}

struct level_node *level_tree_make(struct level_tree *t, struct level_node *parent,
                                   struct slice level, uint64_t level_hash)
{
	struct level_node *n;

	REQUIRE(level.len <= UINT16_MAX);
	n = xcalloc(1, t->node_bytes + level.len);
	n->parent = parent;
	n->hash = level_tree_path_hash(parent->hash, level_hash);
	n->len = (uint16_t)level.len;
	if (level.len > 0)
		memcpy((uint8_t *)n + t->node_bytes, level.data, level.len);
	parent->children++;
	parent->wild |= wild_bit(level);
	t->count++;
	if (t->count > (t->mask + 1) / 4 * 3)
		resize_slots(t, (t->mask + 1) * 2);
	place_node(t, n);
	return n;
}

static size_t slot_of(const struct level_tree *t, const struct level_node *n)
{
	size_t i = n->hash & t->mask;

	while (t->slots[i].node != n) {
		REQUIRE(t->slots[i].node != NULL);
		i = (i + 1) & t->mask;
	}
	return i;
}

/* Close the gap: whatever probed over it moves back into it. */
static void shift_back(struct level_tree *t, size_t gap)
{
	for (size_t i = (gap + 1) & t->mask; t->slots[i].node != NULL; i = (i + 1) & t->mask) {
		size_t ideal = t->slots[i].hash & t->mask;

		if (((i - ideal) & t->mask) >= ((i - gap) & t->mask)) {
			t->slots[gap] = t->slots[i];
			gap = i;
		}
	}
	t->slots[gap] = (struct level_slot){0};
}

struct level_node *level_tree_remove(struct level_tree *t, struct level_node *node)
{
	struct level_node *parent = node->parent;

	REQUIRE(node->children == 0 && parent != NULL);
	shift_back(t, slot_of(t, node));
	parent->children--;
	parent->wild &= (uint8_t)~wild_bit(level_tree_name(t, node));
	free(node);
	t->count--;
	if (t->mask + 1 > SLOTS_MIN && t->count < (t->mask + 1) / 8)
		resize_slots(t, (t->mask + 1) / 4);
	return parent;
}

/* Is `n` the node of this path? Compared from the last level to the first. */
static bool is_path(const struct level_tree *t, const struct level_node *n, struct slice path)
{
	for (;; n = n->parent) {
		size_t before = path.len - n->len;

		if (n->len > path.len ||
		    !slice_equal(level_tree_name(t, n), slice_of(path.data + before, n->len)))
			return false;
		if (n->parent == t->root)
			return before == 0;
		if (before == 0 || path.data[before - 1] != '/')
			return false;
		path.len = before - 1;
	}
}

struct level_node *level_tree_find(const struct level_tree *t, struct slice path)
{
	struct topic_walk walk = topic_walk_of(path);
	uint64_t hash = t->root->hash;
	struct slice level;

	while (topic_walk_next(&walk, &level))
		hash = level_tree_path_hash(hash, level_tree_hash(level));
	for (size_t i = hash & t->mask; t->slots[i].node != NULL; i = (i + 1) & t->mask) {
		if (t->slots[i].hash == hash && is_path(t, t->slots[i].node, path))
			return t->slots[i].node;
	}
	return NULL;
}
