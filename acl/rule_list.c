/* Building the dictionary and the trees. Rules are added from the last to the first, so each new
 * rule goes to the front and is the least.  Thread: main, before the policy is published. */
#include "acl/rule_list.h"

#include <stdlib.h>

#include "acl/rule_parse.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"

static uint32_t node_new(struct trie *t)
{
	REQUIRE(t->node_count < UINT32_MAX);
	array_extend(t->nodes, t->node_count);
	t->nodes[t->node_count] = (struct trie_node){.least = UINT32_MAX};
	return t->node_count++;
}

static void edge_place(struct trie *t, struct trie_edge edge)
{
	uint32_t i = trie_edge_hash(edge.node, edge.level) & t->edge_mask;

	while (t->edges[i].child != 0)
		i = (i + 1) & t->edge_mask;
	t->edges[i] = edge;
}

static void edges_grow(struct trie *t)
{
	struct trie_edge *old = t->edges;
	uint32_t old_mask = t->edge_mask;

	t->edge_mask = old_mask * 2 + 1;
	t->edges = xcalloc((size_t)t->edge_mask + 1, sizeof(*t->edges));
	for (uint32_t i = 0; i <= old_mask; i++) {
		if (old[i].child != 0)
			edge_place(t, old[i]);
	}
	free(old);
}

static uint32_t child_text(struct trie *t, uint32_t node, uint32_t level)
{
	uint32_t child = trie_child(t, &t->nodes[node], level);

	if (child != 0)
		return child;
	if (t->nodes[node].child == 0) {
		child = node_new(t);
		t->nodes[node].level = level;
		t->nodes[node].child = child;
		return child;
	}
	if ((t->edge_count + 1) * 2 > t->edge_mask)
		edges_grow(t);
	child = node_new(t);
	edge_place(t, (struct trie_edge){.node = node, .level = level, .child = child});
	t->edge_count++;
	t->nodes[node].more = true;
	return child;
}

static uint32_t child_plus(struct trie *t, uint32_t node)
{
	uint32_t child = t->nodes[node].plus;

	if (child == 0) {
		child = node_new(t);
		t->nodes[node].plus = child;
	}
	return child;
}

static uint32_t child_pattern(struct trie *t, uint32_t node, const struct filter_level *level,
                              bool deny)
{
	struct trie_pattern *p;
	uint32_t child;

	for (uint32_t i = t->nodes[node].patterns; i != 0; i = p->next) {
		p = &t->patterns[i - 1];
		if (p->deny == deny && slice_equal(p->level->raw, level->raw))
			return p->child;
	}
	child = node_new(t);
	array_extend(t->patterns, t->pattern_count);
	p = &t->patterns[t->pattern_count++];
	*p = (struct trie_pattern){level, deny, child, t->nodes[node].patterns};
	t->nodes[node].patterns = t->pattern_count;
	t->by_client |= pattern_has_client(&level->pattern);
	return child;
}

/* In front of those of later rules. */
static void ref_add(struct trie *t, uint32_t *first, struct trie_ref ref)
{
	ref.next = *first;
	array_extend(t->refs, t->ref_count);
	t->refs[t->ref_count++] = ref;
	*first = t->ref_count;
}

static void trie_add(struct trie *t, struct level_dictionary *levels,
                     const struct rule_filter *filter, struct trie_ref ref)
{
	uint32_t node = 0;

	REQUIRE(filter->count > 0 && filter->count <= RULE_LEVELS_MAX);
	REQUIRE(ref.rule < t->nodes[0].least ||
	        t->nodes[0].least == ref.rule); /* from the last rule on */
	t->nodes[0].least = ref.rule;
	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_level *level = &filter->levels[i];

		if (level->kind == LEVEL_HASH) {
			REQUIRE(i + 1 == filter->count);
			ref_add(t, &t->nodes[node].hash, ref);
			return;
		}
		if (level->kind == LEVEL_PLUS)
			node = child_plus(t, node);
		else if (level->kind == LEVEL_PATTERN)
			node = child_pattern(t, node, level, ref.deny);
		else
			node = child_text(t, node, level_dictionary_add(levels, level->text));
		t->nodes[node].least = ref.rule;
	}
	ref_add(t, &t->nodes[node].here, ref);
}

static void trie_compile(struct trie *t, const struct rule_list *list, uint8_t actions,
                         struct level_dictionary *levels)
{
	REQUIRE(t->node_count == 0); /* a list is compiled once */
	node_new(t);
	t->edge_mask = 7;
	t->edges = xcalloc((size_t)t->edge_mask + 1, sizeof(*t->edges));
	for (size_t i = list->count; i-- > 0;) {
		const struct acl_rule *rule = &list->rules[i];

		for (size_t f = 0; f < rule->filter_count && (rule->actions & actions) != 0; f++)
			trie_add(t, levels, &rule->filters[f],
			         (struct trie_ref){
				     .rule = (uint32_t)i,
				     .actions = rule->actions,
				     .deny = rule->deny,
				     .conditional = rule->conditions != 0,
				     .place = (uint8_t)rule->filters[f].place,
				 });
	}
}

void rule_list_compile(struct rule_list *list, struct level_dictionary *levels)
{
	trie_compile(&list->write, list, ACTIONS_WRITE, levels);
	trie_compile(&list->read, list, ACTION_BIT(ACL_RECEIVE), levels);
}

static void trie_fini(struct trie *t)
{
	free(t->nodes);
	free(t->edges);
	free(t->patterns);
	free(t->refs);
}

void rule_list_fini(struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		rule_fini(&list->rules[i]);
	trie_fini(&list->write);
	trie_fini(&list->read);
	free(list->rules);
	free(list->name);
	*list = (struct rule_list){0};
}
