/* Readers of the route tree: who subscribes to this topic.  A filter without wildcards is found in
 * one look.  Those with wildcards breadth first, level by level: a node is reached by one path
 * only, so that the work is bounded by the nodes there are, and a level is hashed once in a piece,
 * and only where somebody names it.  Inside a read section, any thread. */
#include "tree/route_match.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "proto/topic.h"
#include "tree/route_share.h"
#include "tree/route_tree.h"

/* So many targets are as much work as a node. */
#define TARGETS_PER_VISIT 4

void route_match_fini(struct route_match *m)
{
	free(m->filters);
	free(m->targets);
	free(m->shares);
	free(m->frontier[0]);
	free(m->frontier[1]);
	*m = (struct route_match){0};
}

static void reserve_frontier(struct route_match *m, size_t count)
{
	size_t cap = m->frontier_cap;

	array_reserve(m->frontier[0], cap, count);
	array_reserve(m->frontier[1], m->frontier_cap, count);
}

static void collect_node(struct route_match *m, struct level_node *level)
{
	const struct route_node *node = route_node_of(level);

	m->visited++;
	if (node->executors != 0) {
		array_reserve(m->filters, m->filter_cap, m->filter_count + 1);
		m->filters[m->filter_count++] = (struct route_filter_match){
		    .filter_id = node->id, .executors = node->executors};
		m->executors |= node->executors;
	}
	if (node->extra != NULL) {
		const struct route_extra *x = node->extra;

		m->visited += x->targets.count / TARGETS_PER_VISIT;
		array_reserve(m->targets, m->target_cap, m->target_count + x->targets.count);
		for (uint32_t i = 0; i < x->targets.count; i++)
			m->targets[m->target_count++] = (struct route_target_match){
			    .filter_id = node->id, .target = x->targets.at[i]};
		array_reserve(m->shares, m->share_cap, m->share_count + x->group_count);
		for (uint32_t i = 0; i < x->group_count; i++)
			m->shares[m->share_count++] = (struct route_share_match){
			    .group_id = x->groups[i]->id,
			    .member = *route_share_next(x->groups[i], NULL, 0)};
	}
}

/* From the nodes in frontier[0] to their children that this level leads to. False: there are
 * more. */
static bool descend_level(const struct route *r, struct route_match *m, struct slice level,
                          size_t visited)
{
	/* A wildcard in the first level does not match "$SYS" and its like. [MQTT-4.7.2-1] */
	const bool wildcards = m->depth > 0 || level.len == 0 || level.data[0] != '$';
	const size_t count = m->count;
	uint64_t hash = 0; /* not known yet */
	struct level_node **next = m->frontier[1];
	size_t i = m->at, reached = m->reached;

	for (; i < count && m->visited < visited; i++) {
		struct level_node *n = m->frontier[0][i], *child;

		m->visited++;
		if (wildcards && (child = level_tree_multi(&r->tree, n)) != NULL)
			collect_node(m, child);
		if (wildcards && (child = level_tree_plus(&r->tree, n)) != NULL)
			next[reached++] = child;
		if (!level_tree_has_exact(n))
			continue;
		if (hash == 0)
			hash = level_tree_hash(level);
		if ((child = level_tree_child(&r->tree, n, level, hash)) != NULL)
			next[reached++] = child;
	}
	m->at = i;
	m->reached = reached;
	return i == count;
}

/* Their topic ends here: they are meant, and so is `#` below them ("a/#" matches "a"). */
static bool collect_reached(const struct route *r, struct route_match *m, size_t visited)
{
	for (; m->at < m->count && m->visited < visited; m->at++) {
		struct level_node *multi = level_tree_multi(&r->tree, m->frontier[0][m->at]);

		collect_node(m, m->frontier[0][m->at]);
		if (multi != NULL)
			collect_node(m, multi);
	}
	return m->at == m->count;
}

static bool match_wildcards(struct route *r, struct slice topic, struct route_match *m,
                            size_t visited)
{
	struct topic_walk walk = topic_walk_of(topic);
	struct slice level;

	for (size_t i = 0; i < m->depth; i++)
		(void)topic_walk_next(&walk, &level);
	while (m->count > 0 && topic_walk_next(&walk, &level)) {
		struct level_node **left;

		if (m->at == 0)
			reserve_frontier(m, 2 * m->count);
		if (!descend_level(r, m, level, visited))
			return false;
		left = m->frontier[0];
		m->frontier[0] = m->frontier[1];
		m->frontier[1] = left;
		m->count = m->reached;
		m->at = m->reached = 0;
		m->depth++;
	}
	return collect_reached(r, m, visited);
}

void route_match_begin(const struct route *r, struct route_match *out)
{
	out->filter_count = out->target_count = out->share_count = 0;
	out->executors = 0;
	out->visited = 0;
	out->depth = out->at = out->reached = 0;
	out->count = 0;
	out->changes = r->changes;
	if (r->tree.root->children == 0)
		return; /* no filter has a wildcard */
	reserve_frontier(out, 2);
	out->frontier[0][out->count++] = r->tree.root;
}

bool route_match_holds(const struct route *r, const struct route_match *m)
{
	return m->changes == r->changes;
}

/* [MQTT-3.3.2-3] */
bool route_match_go_on(struct route *r, struct slice topic, struct route_match *out, size_t visited)
{
	uint64_t hash = level_tree_hash(topic);
	struct level_node *exact;

	REQUIRE(route_match_holds(r, out));
	level_tree_prefetch(&r->exact, r->exact.root, hash);
	if (out->count > 0 && !match_wildcards(r, topic, out, visited))
		return false;
	exact = level_tree_child(&r->exact, r->exact.root, topic, hash);
	if (exact != NULL)
		collect_node(out, exact);
	return true;
}

void route_match(struct route *r, struct slice topic, struct route_match *out)
{
	route_match_begin(r, out);
	(void)route_match_go_on(r, topic, out, SIZE_MAX);
}
