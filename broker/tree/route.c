/* Writers of the route tree: executors and durable targets of filters, and the life of its nodes.
 * Each writer takes all slots for the time of its change; matching is route_match.c, groups are
 * route_share.c.  Any thread. */
#include "tree/route.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"
#include "tree/route_tree.h"

struct route *route_new(unsigned executors)
{
	struct route *r = xnew(r);

	REQUIRE(executors > 0 && executors <= ROUTE_HOMES_MAX);
	r->executors = executors;
	reader_locks_init(&r->reader_locks, executors + 1);
	level_tree_init(&r->exact, sizeof(struct route_node));
	level_tree_init(&r->tree, sizeof(struct route_node));
	return r;
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

static void tree_fini(struct level_tree *t)
{
	for (size_t i = 0; i < level_tree_slots(t); i++) {
		struct level_node *level = level_tree_at(t, i);

		if (level != NULL)
			extra_free(route_node_of(level)->extra);
	}
	level_tree_fini(t);
}

void route_free(struct route *r)
{
	if (r == NULL)
		return;
	HASH_CLEAR(hh, r->groups); /* the table only: they are their filters' */
	tree_fini(&r->exact);
	tree_fini(&r->tree);
	reader_locks_fini(&r->reader_locks);
	free(r);
}

static struct level_node *child_make(struct level_tree *t, struct level_node *parent,
                                     struct slice level)
{
	uint64_t hash = level_hash(level);
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

struct route_node *route_node_make(struct route *r, struct slice filter)
{
	struct route_node *node = route_node_of(topic_has_wildcard(filter)
	                                            ? path_make(&r->tree, filter)
	                                            : child_make(&r->exact, r->exact.root, filter));

	if (node->id == 0) {
		node->id = ++r->last_filter_id;
		r->counts.filters++;
	}
	return node;
}

struct route_node *route_node_find(struct route *r, struct slice filter)
{
	struct level_node *level =
	    topic_has_wildcard(filter)
		? level_tree_find(&r->tree, filter)
		: level_tree_child(&r->exact, r->exact.root, filter, level_hash(filter));

	return level == NULL || route_node_of(level)->id == 0 ? NULL : route_node_of(level);
}

struct route_extra *route_node_extra(struct route_node *node)
{
	if (node->extra == NULL)
		node->extra = xnew(node->extra);
	return node->extra;
}

void route_node_settle(struct route *r, struct route_node *node)
{
	struct level_node *at = &node->level;
	struct route_extra *x = node->extra;

	if (x != NULL && x->targets.count == 0 && x->group_count == 0) {
		extra_free(x);
		node->extra = NULL;
	}
	if (node->executors != 0 || node->extra != NULL)
		return;
	node->id = 0;
	r->counts.filters--;
	if (at->parent == r->exact.root) {
		level_tree_remove(&r->exact, at);
		return;
	}
	while (at != r->tree.root && at->children == 0 && route_node_of(at)->id == 0)
		at = level_tree_remove(&r->tree, at);
}

/* Has the executor joined already? Nobody but itself could change that. */
static uint64_t joined(struct route *r, unsigned executor, struct slice filter)
{
	const struct route_node *node;
	uint64_t id = 0;

	reader_lock(&r->reader_locks, executor);
	node = route_node_find(r, filter);
	if (node != NULL && (node->executors >> executor & 1) != 0)
		id = node->id;
	reader_unlock(&r->reader_locks, executor);
	return id;
}

uint64_t route_join(struct route *r, unsigned executor, struct slice filter)
{
	struct route_node *node;
	uint64_t id;

	REQUIRE(executor < r->executors);
	id = joined(r, executor, filter);
	if (id != 0)
		return id;
	reader_locks_lock_all(&r->reader_locks);
	node = route_node_make(r, filter);
	node->executors |= (uint64_t)1 << executor;
	r->counts.executors_joined++;
	id = node->id;
	reader_locks_unlock_all(&r->reader_locks);
	return id;
}

void route_leave(struct route *r, unsigned executor, struct slice filter)
{
	struct route_node *node;
	uint64_t bit;

	REQUIRE(executor < r->executors);
	bit = (uint64_t)1 << executor;
	reader_locks_lock_all(&r->reader_locks);
	node = route_node_find(r, filter);
	REQUIRE(node != NULL && (node->executors & bit) != 0);
	node->executors &= ~bit;
	r->counts.executors_joined--;
	route_node_settle(r, node);
	reader_locks_unlock_all(&r->reader_locks);
}

bool route_target_put(struct route *r, struct slice filter, struct route_target *target,
                      const _Atomic uint64_t *clock)
{
	struct targets *set;
	uint32_t at;

	REQUIRE(target->durable && target->executor < r->executors);
	reader_locks_lock_all(&r->reader_locks);
	target->since = *clock;
	set = &route_node_extra(route_node_make(r, filter))->targets;
	at = target_set_find(set, target->session_id);
	if (at == TARGET_NONE) {
		target_set_append(set, target);
		r->counts.targets++;
	} else {
		set->at[at] = *target;
	}
	reader_locks_unlock_all(&r->reader_locks);
	return at == TARGET_NONE;
}

static bool target_remove(struct route *r, struct slice filter, uint64_t session_id)
{
	struct route_node *node = route_node_find(r, filter);
	uint32_t at;

	if (node == NULL || node->extra == NULL)
		return false;
	at = target_set_find(&node->extra->targets, session_id);
	if (at == TARGET_NONE)
		return false;
	target_set_remove(&node->extra->targets, at);
	r->counts.targets--;
	route_node_settle(r, node);
	return true;
}

bool route_target_remove(struct route *r, struct slice filter, uint64_t session_id)
{
	bool removed;

	reader_locks_lock_all(&r->reader_locks);
	removed = target_remove(r, filter, session_id);
	reader_locks_unlock_all(&r->reader_locks);
	return removed;
}

void route_count(struct route *r, unsigned slot, struct route_counts *out)
{
	reader_lock(&r->reader_locks, slot);
	*out = r->counts;
	reader_unlock(&r->reader_locks, slot);
}
