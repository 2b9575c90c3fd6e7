/* The route tree: for route.c, route_match.c and route_share.c, and nobody else.
 * Everything here is read under a slot and changed under all of them, but for a group's turn. */
#ifndef TREE_ROUTE_TREE_H
#define TREE_ROUTE_TREE_H

#include <stdatomic.h>

#include "base/table.h"
#include "tree/level_tree.h"
#include "tree/reader_locks.h"
#include "tree/target_set.h"

struct route_group {
	uint64_t id;
	_Atomic uint32_t turn; /* round robin, advanced by readers */
	uint32_t online;       /* that many members at the front are online */
	struct targets members;
	UT_hash_handle hh; /* by id */
	uint32_t at;       /* its place among those of its filter */
	uint16_t name_len;
	uint8_t name[];
};

/* What few filters have: durable targets, and $share groups, found by name where they are many. */
struct route_extra {
	struct targets targets;
	struct route_group **groups;
	uint32_t group_count;
	struct table by_name; /* empty while they are few */
};

struct route_node {
	struct level_node level;
	uint64_t id;        /* 0: nobody subscribes to exactly this, a level on the way only */
	uint64_t executors; /* a bit per executor */
	struct route_extra *extra;
};

struct route {
	struct reader_locks reader_locks;
	struct level_tree exact;    /* filters without wildcards: one node each, below the root */
	struct level_tree tree;     /* filters with wildcards, level by level */
	struct route_group *groups; /* by id */
	uint64_t last_filter_id, last_group_id;
	struct {
		uint64_t filters, executors_joined, targets, share_members;
	} counts;
	uint64_t changes; /* writers that there were: a match that rests compares it */
	unsigned executors;
};

/* Writers, for the time of a change. */
static inline void route_tree_write_begin(struct route *r)
{
	reader_locks_lock_all(&r->reader_locks);
	r->changes++;
}

static inline struct route_node *route_node_of(struct level_node *level)
{
	return (struct route_node *)level;
}

void route_tree_init(struct route *r, unsigned executors);
void route_tree_fini(struct route *r);
/* Writers: the node of a filter, made where it was missing, with an id. */
struct route_node *route_tree_make_node(struct route *r, struct slice filter);
/* NULL: nobody subscribes to it. */
struct route_node *route_tree_find_node(struct route *r, struct slice filter);
struct route_extra *route_tree_extra(struct route_node *node);
/* After somebody left: remove filters without subscribers, and the levels that led only there. */
void route_tree_settle_node(struct route *r, struct route_node *node);

#endif
