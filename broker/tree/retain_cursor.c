/* Replay: a walk over the retained topics that a filter matches, in slices.  Depth first without a
 * stack: node, depth and filter say where to go next.  Between slices the cursor pins the node it
 * rests on, so that the node stays among its siblings, and new siblings are put in front of it:
 * whatever was there all the time is met once.  [MQTT3-3.3.1-6] [MQTT5-3.3.1-9] */
#include "tree/retain_cursor.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"
#include "tree/retain_tree.h"

/* Nodes without a value cost time too: so many steps a slice may make for each value. */
#define STEPS_PER_VALUE 4
#define STEPS_MORE      256

struct cursor_level {
	struct slice name;
	uint64_t hash;
	bool plus;
};

struct retain_cursor {
	struct retain *retain;
	uint64_t until;
	struct retain_node *at; /* pinned between slices, unless it is the root */
	size_t depth;           /* its level: the root's is 0 */
	bool done;
	bool multi; /* the filter ends in `#`, which is not counted in levels */
	size_t levels;
	size_t size_bytes;           /* of all this */
	struct cursor_level level[]; /* their bytes stand after the last */
};

struct retain_cursor *retain_cursor_new(struct retain *r, struct slice filter, uint64_t until)
{
	size_t levels = topic_levels(filter);
	size_t size =
	    sizeof(struct retain_cursor) + levels * sizeof(struct cursor_level) + filter.len;
	struct retain_cursor *c = xcalloc(1, size);
	uint8_t *bytes = (uint8_t *)&c->level[levels];
	struct topic_walk walk = topic_walk_of(slice_of(bytes, filter.len));
	struct slice name;

	memcpy(bytes, filter.data, filter.len);
	c->retain = r;
	c->until = until;
	c->size_bytes = size;
	c->at = retain_node_of(r->tree.root);
	while (topic_walk_next(&walk, &name)) {
		c->level[c->levels++] = (struct cursor_level){
		    .name = name,
		    .hash = level_tree_hash(name),
		    .plus = slice_equal(name, SLICE("+")),
		};
	}
	c->multi = slice_equal(c->level[c->levels - 1].name, SLICE("#"));
	if (c->multi)
		c->levels--;
	return c;
}

size_t retain_cursor_bytes(const struct retain_cursor *c)
{
	return c->size_bytes;
}

/* Do all children of a node at this depth match? */
static bool takes_all(const struct retain_cursor *c, size_t depth)
{
	return depth < c->levels ? c->level[depth].plus : c->multi;
}

/* This node or the next sibling that a wildcard may match: in the first level none that begins with
 * '$'. [MQTT-4.7.2-1] */
static struct retain_node *pass_hidden(const struct retain_cursor *c, struct retain_node *n)
{
	const struct level_tree *t = &c->retain->tree;

	if (n == NULL || n->level.parent != t->root)
		return n;
	while (n != NULL && n->level.len > 0 && level_tree_name(t, &n->level).data[0] == '$')
		n = n->next;
	return n;
}

static struct retain_node *step_down(const struct retain_cursor *c)
{
	const struct cursor_level *level;

	if (takes_all(c, c->depth))
		return pass_hidden(c, c->at->first_child);
	if (c->depth >= c->levels || c->at->level.children == 0)
		return NULL;
	level = &c->level[c->depth];
	return (struct retain_node *)level_tree_child(&c->retain->tree, &c->at->level, level->name,
	                                              level->hash);
}

/* To the next node in order; false: there is none. */
static bool step_to_next(struct retain_cursor *c)
{
	struct retain_node *next = step_down(c);

	if (next != NULL) {
		c->at = next;
		c->depth++;
		return true;
	}
	for (; c->depth > 0; c->depth--) {
		next = takes_all(c, c->depth - 1) ? pass_hidden(c, c->at->next) : NULL;
		if (next != NULL) {
			c->at = next;
			return true;
		}
		c->at = retain_node_of(c->at->level.parent);
	}
	c->done = true;
	return false;
}

/* Does the topic that ends at this node match? */
static bool is_match(const struct retain_cursor *c)
{
	return c->depth == c->levels || (c->multi && c->depth > c->levels);
}

static bool is_root(const struct retain_cursor *c)
{
	return c->at->level.parent == NULL;
}

static void pin_node(struct retain_cursor *c)
{
	if (is_root(c))
		return;
	retain_tree_lock_shard(c->retain, c->at);
	c->at->pins++;
	retain_tree_unlock_shard(c->retain, c->at);
}

/* The slot that is held keeps the node until the next pin. */
static void unpin_node(struct retain_cursor *c)
{
	if (is_root(c))
		return;
	retain_tree_lock_shard(c->retain, c->at);
	REQUIRE(c->at->pins > 0);
	c->at->pins--;
	retain_tree_discard_node(c->retain, c->at);
	retain_tree_unlock_shard(c->retain, c->at);
}

void retain_cursor_free(struct retain_cursor **cursor)
{
	struct retain_cursor *c = *cursor;
	struct retain *r;

	*cursor = NULL;
	if (c == NULL)
		return;
	r = c->retain;
	if (!c->done) {
		reader_locks_lock(&r->reader_locks, r->shared_slot);
		unpin_node(c);
		retain_tree_leave(r, r->shared_slot);
	}
	free(c);
}

struct slice_state {
	uint64_t now_ms;
	size_t budget;
	size_t steps;
	retain_cursor_visit_fn *visit;
	void *arg;
};

/* Visit the node the cursor stands on. False: stop after it. */
static bool visit_node(const struct retain_cursor *c, struct slice_state *s)
{
	struct retain_node *n = c->at;
	bool more = true;

	if (!is_match(c))
		return true;
	retain_tree_lock_shard(c->retain, n);
	if (n->value != NULL && n->value->number <= c->until) {
		s->budget--;
		if (!msg_is_expired(n->value, s->now_ms))
			more = s->visit(s->arg, n->value, &n->writer_generation);
	}
	retain_tree_unlock_shard(c->retain, n);
	return more;
}

bool retain_cursor_visit(struct retain_cursor *c, unsigned slot, uint64_t now_ms, size_t budget,
                         retain_cursor_visit_fn *visitor, void *arg)
{
	struct slice_state s = {
	    .now_ms = now_ms,
	    .budget = budget,
	    .steps = budget * STEPS_PER_VALUE + STEPS_MORE,
	    .visit = visitor,
	    .arg = arg,
	};

	if (c->done)
		return false;
	reader_locks_lock(&c->retain->reader_locks, slot);
	unpin_node(c);
	while (s.budget > 0 && s.steps-- > 0 && step_to_next(c)) {
		if (!visit_node(c, &s))
			break;
	}
	if (!c->done)
		pin_node(c);
	retain_tree_leave(c->retain, slot);
	return !c->done;
}
