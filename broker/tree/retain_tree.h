/* The tree of retained topics: for retain.c, retain_limits.c and retain_cursor.c, and nobody else.
 * Shape (nodes, children, siblings): read under a slot, changed under all of them. What a node
 * holds: under a slot and the node's shard, or under all slots. Order of locks: slot, shard, then
 * the garbage or the owners. */
#ifndef TREE_RETAIN_TREE_H
#define TREE_RETAIN_TREE_H

#include "tree/level_tree.h"
#include "tree/msg.h"
#include "tree/reader_locks.h"
#include "tree/topic_owners.h"

#define RETAIN_SHARDS 128

struct retain_node {
	struct level_node level; /* its mark (under the garbage lock): listed as garbage */
	struct retain_node *first_child;
	struct retain_node *prev, *next; /* siblings */
	struct msg *value;
	struct owner *owner;
	struct owner *writer;    /* the user for whom the value counts; NULL: nobody */
	uint64_t owned_until_ms; /* where there is no value */
	_Atomic uint32_t writer_generation;
	uint32_t pins; /* cursors that rest here */
};

struct retain {
	struct reader_locks reader_locks;
	struct reader_locks shards; /* by path hash */
	struct level_tree tree;
	struct owners owners;
	unsigned shared_slot; /* of threads that are no workers */
	_Atomic uint64_t clock;
	_Atomic uint64_t values, bytes;
	_Atomic uint64_t written; /* values of somebody: the broker's own do not count */
	_Atomic uint64_t written_bytes;
	_Atomic uint64_t expired; /* values, since the start */
	_Atomic size_t expire_at;

	struct mutex garbage_lock;
	struct retain_node **garbage; /* nodes that looked empty */
	_Atomic size_t garbage_count;
	size_t garbage_cap;
};

static inline struct retain_node *retain_node_of(struct level_node *level)
{
	return (struct retain_node *)level;
}

/* Whom a value counts for; empty: the broker itself. */
static inline struct slice retain_tree_writer_key(const struct msg *msg)
{
	return msg->origin == NULL ? SLICE_EMPTY : msg->origin->user_key;
}

/* Enter the read section with the node of this topic, made where it was missing. */
struct retain_node *retain_tree_enter(struct retain *r, unsigned slot, struct slice topic);
/* Leave the read section; afterwards free what was discarded, when it is much. */
void retain_tree_leave(struct retain *r, unsigned slot);
/* Free the nodes that are listed as empty, now. Outside of a read section. */
void retain_tree_collect_garbage(struct retain *r);

void retain_tree_lock_shard(struct retain *r, const struct retain_node *n);
void retain_tree_unlock_shard(struct retain *r, const struct retain_node *n);

static inline unsigned retain_tree_shard_of(const struct retain_node *n)
{
	return (unsigned)(n->level.hash >> 32) % RETAIN_SHARDS;
}

/* The shard of this node is held (T3): checked in debug and sanitizer builds. */
static inline void retain_tree_require_shard(const struct retain *r, const struct retain_node *n)
{
	reader_locks_require(&r->shards, retain_tree_shard_of(n));
}

/* --- under the shard --- */

/* What a value takes: itself, and the levels of its topic. */
size_t retain_tree_cost(const struct msg *msg);
/* Does the value count for the user of this key (who was not removed meanwhile)? */
bool retain_tree_is_writer(const struct owner *writer, struct slice key);
/* The user for whom the value counts: the writer of `msg`, which takes the place
 * of the one that is still there; or nobody any more. */
void retain_tree_set_writer(struct retain *r, struct retain_node *n, const struct msg *msg);
void retain_tree_drop_writer(struct retain *r, struct retain_node *n);
void retain_tree_drop_value(struct retain *r, struct retain_node *n);
/* Drop a value that expired and an owner whose time is over. */
void retain_tree_settle_node(struct retain *r, struct retain_node *n, uint64_t now_ms);
/* List it if it is empty and unused: freed by a later retain_tree_leave. */
void retain_tree_discard_node(struct retain *r, struct retain_node *n);

#endif
