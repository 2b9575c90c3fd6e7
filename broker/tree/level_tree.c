/* The nodes of a level tree.  The caller's locks protect them. */
#include "tree/level_tree.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"

void level_tree_init(struct level_tree *t, size_t node_bytes)
{
	REQUIRE(node_bytes >= sizeof(struct level_node));
	*t = (struct level_tree){
	    .node_bytes = node_bytes,
	    .plus = level_tree_hash(SLICE("+")),
	    .multi = level_tree_hash(SLICE("#")),
	    .root = xcalloc(1, node_bytes),
	};
	t->root->hash = level_tree_hash(SLICE("/")); /* as secret as all others */
}

void level_tree_fini(struct level_tree *t)
{
	for (size_t i = 0; i < level_tree_slots(t); i++)
		free(level_tree_at(t, i));
	table_fini(&t->nodes);
	free(t->root);
	*t = (struct level_tree){0};
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

	REQUIRE(level.len <= UINT16_MAX && parent->children < UINT32_MAX);
	n = xcalloc(1, t->node_bytes + level.len);
	n->parent = parent;
	n->hash = level_tree_path_hash(parent->hash, level_hash);
	n->len = (uint16_t)level.len;
	if (level.len > 0)
		memcpy((uint8_t *)n + t->node_bytes, level.data, level.len);
	parent->children++;
	parent->wild |= wild_bit(level);
	/* A match looks up levels that are not there, which takes long in a table that is nearly
	 * full. */
	if (t->nodes.count >= t->nodes.slot_count / 4 * 3)
		table_grow(&t->nodes);
	table_add(&t->nodes, n->hash, n);
	return n;
}

struct level_node *level_tree_remove(struct level_tree *t, struct level_node *node)
{
	struct level_node *parent = node->parent;

	REQUIRE(node->children == 0 && parent != NULL);
	table_remove(&t->nodes, node->hash, node);
	parent->children--;
	parent->wild &= (uint8_t)~wild_bit(level_tree_name(t, node));
	free(node);
	return parent;
}

struct wanted_path {
	const struct level_tree *tree;
	struct slice path;
};

/* Is the item the node of this path? Compared from the last level to the first. */
static bool is_path(const void *item, const void *key)
{
	const struct wanted_path *wanted = key;
	const struct level_tree *t = wanted->tree;
	struct slice path = wanted->path;

	for (const struct level_node *n = item;; n = n->parent) {
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
	struct wanted_path wanted = {.tree = t, .path = path};
	struct topic_walk walk = topic_walk_of(path);
	uint64_t hash = t->root->hash;
	struct slice level;
	void **place;

	while (topic_walk_next(&walk, &level))
		hash = level_tree_path_hash(hash, level_tree_hash(level));
	place = table_find(&t->nodes, hash, is_path, &wanted);
	return place == NULL ? NULL : *place;
}
