/* The nodes of the route tree: made for a filter, found by it, removed when nobody subscribes to it
 * any more.  Changed under all slots; any thread. */
#include "tree/route_tree.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"

void route_tree_init(struct route *r, unsigned executors)
{
	REQUIRE(executors > 0 && executors <= ROUTE_EXECUTORS_MAX);
	r->executors = executors;
	reader_locks_init(&r->reader_locks, executors + 1, LOCK_ROUTE);
	level_tree_init(&r->exact, sizeof(struct route_node));
	level_tree_init(&r->tree, sizeof(struct route_node));
}

static void extra_free(struct route_extra *x)
{
	if (x == NULL)
		return;
	target_set_fini(&x->targets);
	for (uint32_t i = 0; i < x->group_count; i++) {
		target_set_fini(&x->groups[i]->members);
		free(x->groups[i]);
	}
	free(x->groups);
	table_fini(&x->by_name);
	free(x);
}

static void level_fini(struct level_tree *t)
{
	for (size_t i = 0; i < level_tree_slots(t); i++) {
		struct level_node *level = level_tree_at(t, i);

		if (level != NULL)
			extra_free(route_node_of(level)->extra);
	}
	level_tree_fini(t);
}

void route_tree_fini(struct route *r)
{
	HASH_CLEAR(hh, r->groups); /* the table only: they are their filters' */
	level_fini(&r->exact);
	level_fini(&r->tree);
	reader_locks_fini(&r->reader_locks);
}

static struct level_node *child_make(struct level_tree *t, struct level_node *parent,
                                     struct slice level)
{
	uint64_t hash = level_tree_hash(level);
	struct level_node *child = level_tree_child(t, parent, level, hash);

	return child != NULL ? child : level_tree_make(t, parent, level, hash);
}

static struct level_node *path_make(struct level_tree *t, struct slice filter)
{
	struct topic_walk walk = topic_walk_of(filter);
	struct level_node *at = t->root;
	struct slice level;

	while (topic_walk_next(&walk, &level))
		at = child_make(t, at, level);
	return at;
}

struct route_node *route_tree_make_node(struct route *r, struct slice filter)
{
	struct route_node *node = route_node_of(topic_has_wildcard(filter)
	                                            ? path_make(&r->tree, filter)
	                                            : child_make(&r->exact, r->exact.root, filter));

	reader_locks_require_all(&r->reader_locks);
	if (node->id == 0) {
		node->id = ++r->last_filter_id;
		r->counts.filters++;
	}
	return node;
}

struct route_node *route_tree_find_node(struct route *r, struct slice filter)
{
	struct level_node *level =
	    topic_has_wildcard(filter)
		? level_tree_find(&r->tree, filter)
		: level_tree_child(&r->exact, r->exact.root, filter, level_tree_hash(filter));

	return level == NULL || route_node_of(level)->id == 0 ? NULL : route_node_of(level);
}

struct route_extra *route_tree_extra(struct route_node *node)
{
	if (node->extra == NULL)
		node->extra = xnew(node->extra);
	return node->extra;
}

void route_tree_settle_node(struct route *r, struct route_node *node)
{
	struct level_node *at = &node->level;
	struct route_extra *x = node->extra;

	reader_locks_require_all(&r->reader_locks);
	if (x != NULL && x->targets.count == 0 && x->group_count == 0) {
		extra_free(x);
		node->extra = NULL;
	}
	if (node->executors != 0 || node->extra != NULL)
		return;
	REQUIRE(node->id != 0 && r->counts.filters > 0);
	node->id = 0;
	r->counts.filters--;
	if (at->parent == r->exact.root) {
		level_tree_remove(&r->exact, at);
		return;
	}
	while (at != r->tree.root && at->children == 0 && route_node_of(at)->id == 0)
		at = level_tree_remove(&r->tree, at);
}
