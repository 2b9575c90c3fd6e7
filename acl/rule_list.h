/* A list of rules, made fast: "which is the first rule whose action, filter and conditions fit?"
 * Every literal level of the whole policy has a number, so that a topic's levels are hashed once
 * per check, whatever the number of lists, and the trees compare numbers.  Built once, then
 * immutable; shared by all sessions.  Thread: any. */
#ifndef ACL_RULE_LIST_H
#define ACL_RULE_LIST_H

#include <stdint.h>

#include "acl/level_dictionary.h"
#include "acl/rule.h"

/* A tree of levels. Indices from 1 into the arrays; 0: none. */
struct trie_node {
	uint32_t least;    /* the first rule that ends here or below */
	uint32_t plus;     /* node */
	uint32_t patterns; /* first of its edges with names */
	uint32_t here;     /* refs: filters that end here */
	uint32_t hash;     /* refs: filters that end here with '#' */
	/* Its first edge with a literal level; it has others in the table. */
	uint32_t level, child;
	bool more;
};

/* (node, level) -> child, of nodes that have several: open addressing of its own and not
 * base/table.h, because a slot is three numbers and no pointer, and each level of each PUBLISH
 * looks one up without a call. */
struct trie_edge {
	uint32_t node, level, child;
};

struct trie_pattern {
	const struct filter_level *level;
	bool deny; /* names without a value are holes */
	uint32_t child, next;
};

struct trie_ref {
	uint32_t rule; /* its index in the list */
	uint32_t next; /* of a later rule */
	uint8_t actions;
	bool deny, conditional;
	uint8_t place; /* enum system_place */
};

struct trie {
	struct trie_node *nodes; /* [0] is the root */
	struct trie_edge *edges; /* an open hash table */
	struct trie_pattern *patterns;
	struct trie_ref *refs;
	uint32_t node_count, edge_count, edge_mask, pattern_count, ref_count;
	bool by_client; /* a level of it has %c */
};

static inline uint32_t trie_edge_hash(uint32_t node, uint32_t level)
{
	/* the analyzer does not see that node_new has written the grown array
	 * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return (uint32_t)((((uint64_t)node << 32 | level) * 0x9e3779b97f4a7c15U) >> 32);
}

/* The child that a literal level leads to; 0: none. */
static inline uint32_t trie_child(const struct trie *t, const struct trie_node *node,
                                  uint32_t level)
{
	uint32_t index = (uint32_t)(node - t->nodes), i;

	if (node->level == level)
		return node->child;
	if (!node->more)
		return 0;
	i = trie_edge_hash(index, level) & t->edge_mask;
	for (; t->edges[i].child != 0; i = (i + 1) & t->edge_mask) {
		if (t->edges[i].node == index && t->edges[i].level == level)
			return t->edges[i].child;
	}
	return 0;
}

/* Rules in their order; one tree for publish and will, one for receive. */
struct rule_list {
	char *name;            /* of the role; NULL: somebody's own rules */
	unsigned line, column; /* of the role */
	struct acl_rule *rules;
	size_t count;
	enum acl_partial partial; /* a role says FILTER, or nothing */
	struct trie write;
	struct trie read;
};

void rule_list_compile(struct rule_list *list, struct level_dictionary *levels);
void rule_list_fini(struct rule_list *list);

#endif
