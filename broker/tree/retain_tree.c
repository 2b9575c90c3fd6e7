/* The tree of retained topics: nodes come and go under all slots.  A topic without a node gets one
 * before its change begins, because the shape cannot change while the caller's slot is held. A node
 * that becomes empty is listed as garbage and freed later, many at once.  Any thread. */
#include "tree/retain_tree.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/list.h"
#include "proto/topic.h"

#define GARBAGE_ALLOWED 64 /* empty nodes that may wait for retain_sweep */

void retain_tree_lock_shard(struct retain *r, const struct retain_node *n)
{
	reader_locks_lock(&r->shards, retain_tree_shard_of(n));
}

void retain_tree_unlock_shard(struct retain *r, const struct retain_node *n)
{
	reader_locks_unlock(&r->shards, retain_tree_shard_of(n));
}

/* New nodes go to the front of their siblings: a replay never runs after them. */
static struct retain_node *node_add(struct retain *r, struct retain_node *parent,
                                    struct slice level, uint64_t hash)
{
	struct retain_node *n =
	    retain_node_of(level_tree_make(&r->tree, &parent->level, level, hash));

	reader_locks_require_all(&r->reader_locks);
	DL_PREPEND(parent->first_child, n);
	return n;
}

static struct retain_node *node_remove(struct retain *r, struct retain_node *n)
{
	struct retain_node *parent = retain_node_of(n->level.parent);

	REQUIRE(n->value == NULL && n->owner == NULL && n->writer == NULL && n->pins == 0);
	reader_locks_require_all(&r->reader_locks);
	DL_DELETE(parent->first_child, n);
	return retain_node_of(level_tree_remove(&r->tree, &n->level));
}

static void node_make(struct retain *r, struct slice topic)
{
	struct topic_walk walk = topic_walk_of(topic);
	struct retain_node *at = retain_node_of(r->tree.root);
	struct slice level;

	while (topic_walk_next(&walk, &level)) {
		uint64_t hash = level_tree_hash(level);
		struct level_node *child = level_tree_child(&r->tree, &at->level, level, hash);

		at = child != NULL ? retain_node_of(child) : node_add(r, at, level, hash);
	}
}

struct retain_node *retain_tree_enter(struct retain *r, unsigned slot, struct slice topic)
{
	for (;;) {
		struct level_node *level;

		reader_locks_lock(&r->reader_locks, slot);
		level = level_tree_find(&r->tree, topic);
		if (level != NULL)
			return retain_node_of(level);
		reader_locks_unlock(&r->reader_locks, slot);
		reader_locks_lock_all(&r->reader_locks);
		node_make(r, topic);
		reader_locks_unlock_all(&r->reader_locks);
	}
}

static bool node_is_needed(const struct retain_node *n)
{
	return n->value != NULL || n->owner != NULL || n->level.children > 0 || n->pins > 0;
}

void retain_tree_discard_node(struct retain *r, struct retain_node *n)
{
	retain_tree_require_shard(r, n);
	if (node_is_needed(n))
		return;
	mutex_lock(&r->garbage_lock);
	if (n->level.mark == 0) {
		array_reserve(r->garbage, r->garbage_cap, r->garbage_count + 1);
		n->level.mark = 1;
		r->garbage[r->garbage_count++] = n;
	}
	mutex_unlock(&r->garbage_lock);
}

/* The node and the levels that led only to it. One that is still listed is left to its own turn. */
static void prune_branch(struct retain *r, struct retain_node *n)
{
	while (&n->level != r->tree.root && !node_is_needed(n) && n->level.mark == 0)
		n = node_remove(r, n);
}

void retain_tree_collect_garbage(struct retain *r)
{
	reader_locks_lock_all(&r->reader_locks);
	mutex_lock(&r->garbage_lock);
	while (r->garbage_count > 0) {
		struct retain_node *n = r->garbage[--r->garbage_count];

		REQUIRE(n->level.mark == 1); /* it is listed once */
		n->level.mark = 0;
		prune_branch(r, n);
	}
	mutex_unlock(&r->garbage_lock);
	reader_locks_unlock_all(&r->reader_locks);
}

void retain_tree_leave(struct retain *r, unsigned slot)
{
	reader_locks_unlock(&r->reader_locks, slot);
	if (r->garbage_count >= GARBAGE_ALLOWED)
		retain_tree_collect_garbage(r);
}

/* --- values and their writers: under the shard --- */

size_t retain_tree_cost(const struct msg *msg)
{
	return msg_bytes(msg) + topic_levels(msg_topic(msg)) * sizeof(struct retain_node);
}

bool retain_tree_is_writer(const struct owner *writer, struct slice key)
{
	return writer != NULL && !writer->gone && slice_equal(topic_owners_own_key(writer), key);
}

void retain_tree_drop_writer(struct retain *r, struct retain_node *n)
{
	if (n->writer == NULL)
		return;
	REQUIRE(n->value != NULL && n->writer->values > 0 && r->written > 0);
	n->writer->values--;
	n->writer->bytes -= retain_tree_cost(n->value);
	r->written--;
	r->written_bytes -= retain_tree_cost(n->value);
	topic_owners_unref(&r->owners, &n->writer);
}

void retain_tree_set_writer(struct retain *r, struct retain_node *n, const struct msg *msg)
{
	struct slice key = retain_tree_writer_key(msg);

	retain_tree_require_shard(r, n);
	if (retain_tree_is_writer(n->writer, key)) {
		uint64_t more = msg_bytes(msg) - msg_bytes(n->value); /* modulo 2^64 */

		if (more != 0) {
			n->writer->bytes += more;
			r->written_bytes += more;
		}
		return;
	}
	retain_tree_drop_writer(r, n);
	if (key.len == 0) /* the broker itself */
		return;
	n->writer = topic_owners_ref(&r->owners, key);
	n->writer->values++;
	n->writer->bytes += retain_tree_cost(msg);
	r->written++;
	r->written_bytes += retain_tree_cost(msg);
}

void retain_tree_drop_value(struct retain *r, struct retain_node *n)
{
	retain_tree_require_shard(r, n);
	REQUIRE(n->value != NULL && r->values > 0);
	r->values--;
	r->bytes -= retain_tree_cost(n->value);
	retain_tree_drop_writer(r, n);
	msg_unref(&n->value);
}

void retain_tree_settle_node(struct retain *r, struct retain_node *n, uint64_t now_ms)
{
	retain_tree_require_shard(r, n);
	if (n->value != NULL && msg_is_expired(n->value, now_ms)) {
		n->owned_until_ms = n->value->expires_ms + TOPIC_OWNERS_RETENTION_MS;
		retain_tree_drop_value(r, n);
		r->expired++;
	}
	if (n->owner == NULL)
		return;
	if (n->owner->gone || (n->value == NULL && now_ms >= n->owned_until_ms))
		topic_owners_unref(&r->owners, &n->owner);
}
