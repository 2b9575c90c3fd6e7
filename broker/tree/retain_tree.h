/* The inside of the retained tree, shared by the files that implement retain.h and by nobody else.
 * Shape (nodes, children, siblings): read under a slot, changed under all of them. What a node
 * holds: under a slot and the node's shard, or under all slots. Order of locks: slot, shard, then
 * the garbage or the owners. */
#ifndef TREE_RETAIN_TREE_H
#define TREE_RETAIN_TREE_H

#include "tree/level_tree.h"
#include "tree/reader_locks.h"
#include "tree/retain.h"
#include "tree/topic_owners.h"

#define RETAIN_SHARDS 128

struct retain_node {
	struct level_node level; /* its mark (under the garbage lock): listed as garbage */
	struct retain_node *first_child;
	struct retain_node *next;  /* sibling */
	struct retain_node **link; /* the pointer that points here */
	struct msg *value;
	struct owner *owner;
	struct owner *writer;    /* for whom the value counts; NULL: nobody */
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
	_Atomic size_t sweep_at;

	struct mutex garbage_lock;
	struct retain_node **garbage; /* nodes that looked empty */
	_Atomic size_t garbage_count;
	size_t garbage_cap;
};

static inline struct retain_node *retain_node_of(struct level_node *level)
{
	return (struct retain_node *)level;
}

/* What a value takes: itself, and the levels of its topic. */
size_t retain_cost(const struct msg *msg);

void retain_shard_lock(struct retain *r, const struct retain_node *n);
void retain_shard_unlock(struct retain *r, const struct retain_node *n);
/* Let go of a value that expired and of an owner whose time is over. Under the shard. */
void retain_node_settle(struct retain *r, struct retain_node *n, uint64_t now_ms);
/* For whom the value counts: the writer of `msg`, which takes the place of the one that is still
 * there; or nobody any more. Under the shard. */
void retain_writer_set(struct retain *r, struct retain_node *n, const struct msg *msg);
void retain_writer_drop(struct retain *r, struct retain_node *n);
/* List it where it holds nothing and nobody needs it: freed by a later retain_collect. Under the
 * shard. */
void retain_node_discard(struct retain *r, struct retain_node *n);
/* Leave the read section; afterwards free what was discarded, when it is much. */
void retain_leave(struct retain *r, unsigned slot);

#endif
