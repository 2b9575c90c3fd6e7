/* Who subscribes to this topic, collected into the caller's arrays: nothing is acted on.  Levels
 * are walked without recursion.  Inside a read section of the caller's executor (route.h).  Where
 * filters overlap there may be very many: a match can rest between two read sections, and is valid
 * as long as nobody has changed the tree. */
#ifndef TREE_ROUTE_MATCH_H
#define TREE_ROUTE_MATCH_H

#include "tree/route.h"

struct level_node;

struct route_filter_match {
	uint64_t filter_id;
	uint64_t executors; /* a bit per executor */
};

struct route_target_match {
	uint64_t filter_id;
	struct route_target target;
};

struct route_share_match {
	uint64_t group_id;
	struct route_target member; /* the one picked: round robin, online members first */
};

/* Zero-initialised; reused from publish to publish, so that nothing is allocated in the long run.
 */
struct route_match {
	struct route_filter_match *filters;
	struct route_target_match *targets;
	struct route_share_match *shares;
	size_t filter_count, target_count, share_count;
	size_t filter_cap, target_cap, share_cap;
	uint64_t executors; /* union of the bits */
	size_t visited;     /* nodes that were looked at: what it cost */
	/* route_match.c's own: the nodes reached, this level's and the next one's; and where it
	 * is: levels that are done, nodes of this level, those of them that are done, nodes of the
	 * next one. */
	struct level_node **frontier[2];
	size_t frontier_cap;
	size_t depth, count, at, reached;
	uint64_t changes; /* of the tree before it began */
};

void route_match_fini(struct route_match *m);

/* Collect all subscribers of `topic` (a valid topic name) into *out (cleared first). Inside a read
 * section. */
void route_match(struct route *r, struct slice topic, struct route_match *out);

/* The same in pieces: clear *out, then go on until that many nodes have been looked at in all,
 * about. True: it is complete. */
void route_match_begin(const struct route *r, struct route_match *out);
bool route_match_go_on(struct route *r, struct slice topic, struct route_match *out,
                       size_t visited);
/* Is the tree as it was when the match began? Else it has to begin anew. */
bool route_match_holds(const struct route *r, const struct route_match *m);

#endif
