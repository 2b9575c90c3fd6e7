/* A tree of topic levels, the base of route and retain: nodes found by (parent, level) in one
 * hash table per tree, which costs less memory than a table per node and one cache line per
 * look-up. Hashes are keyed (base/hash.h) and cover the whole path, so that a whole topic is found
 * in one look-up too. No locks, no recursion: the trees above bring their own. */
#ifndef TREE_LEVEL_TREE_H
#define TREE_LEVEL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/table.h"

/* What a node knows of its children besides their number. */
#define LEVEL_PLUS  0x01 /* one of them is `+` */
#define LEVEL_MULTI 0x02 /* one of them is `#` */

/* First member of the node of a tree. The bytes of its level stand after the whole node. */
struct level_node {
	struct level_node *parent; /* NULL: the root */
	uint64_t hash;             /* of the path */
	uint32_t children;
	uint16_t len;
	uint8_t wild; /* LEVEL_PLUS, LEVEL_MULTI */
	uint8_t mark; /* of the tree above, under a lock of its own */
};

struct level_tree {
	struct table nodes; /* by the hash of their path, without the root */
	size_t node_bytes;
	uint64_t plus, multi; /* level hashes of `+` and `#` */
	struct level_node *root;
};

/* `node_bytes`: size of the tree's own node. Nodes come zeroed. */
void level_tree_init(struct level_tree *t, size_t node_bytes);
void level_tree_fini(struct level_tree *t); /* frees the nodes, not what they own */

struct level_node *level_tree_make(struct level_tree *t, struct level_node *parent,
                                   struct slice level, uint64_t level_hash); /* must not exist */
/* Remove and free a node without children: its parent. */
struct level_node *level_tree_remove(struct level_tree *t, struct level_node *node);
/* The node of a whole topic or filter, NULL: none. */
struct level_node *level_tree_find(const struct level_tree *t, struct slice path);

static inline uint64_t level_tree_hash(struct slice level)
{
	return hash_bytes(level.data, level.len);
}

static inline struct slice level_tree_name(const struct level_tree *t, const struct level_node *n)
{
	return slice_of((const uint8_t *)n + t->node_bytes, n->len);
}

/* Both halves are secret (keyed), so nobody can choose paths that collide. */
static inline uint64_t level_tree_path_hash(uint64_t parent, uint64_t level)
{
	uint64_t x = (parent ^ ((level << 23) | (level >> 41))) * 0x9e3779b97f4a7c15u;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ (x >> 29);
}

/* Begin to fetch what level_tree_child will look at. */
static inline void level_tree_prefetch(const struct level_tree *t, const struct level_node *parent,
                                       uint64_t level_hash)
{
	table_prefetch(&t->nodes, level_tree_path_hash(parent->hash, level_hash));
}

static inline struct level_node *level_tree_child(const struct level_tree *t,
                                                  const struct level_node *parent,
                                                  struct slice level, uint64_t level_hash)
{
	struct table_probe probe =
	    table_probe_of(&t->nodes, level_tree_path_hash(parent->hash, level_hash));
	void **place;

	while ((place = table_probe_next(&probe)) != NULL) {
		struct level_node *n = *place;

		if (n->parent == parent && slice_equal(level_tree_name(t, n), level))
			return n;
	}
	return NULL;
}

/* Children that are neither `+` nor `#`? */
static inline bool level_tree_has_exact(const struct level_node *n)
{
	return n->children > (uint32_t)((n->wild & 1) + (n->wild >> 1));
}

static inline struct level_node *level_tree_plus(const struct level_tree *t,
                                                 const struct level_node *n)
{
	return (n->wild & LEVEL_PLUS) == 0 ? NULL : level_tree_child(t, n, SLICE("+"), t->plus);
}

static inline struct level_node *level_tree_multi(const struct level_tree *t,
                                                  const struct level_node *n)
{
	return (n->wild & LEVEL_MULTI) == 0 ? NULL : level_tree_child(t, n, SLICE("#"), t->multi);
}

/* All nodes, in any order: i below level_tree_slots(); NULL where there is nothing. */
static inline size_t level_tree_slots(const struct level_tree *t)
{
	return t->nodes.slot_count;
}

static inline struct level_node *level_tree_at(const struct level_tree *t, size_t i)
{
	return t->nodes.slots[i & (t->nodes.slot_count - 1)].item;
}

#endif
