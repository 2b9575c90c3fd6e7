/* Who wants a topic: the tree of filters, shared by all workers, read on every publish.  DESIGN.md
 * section 4. A node of a filter carries a bit per worker ("somebody here who is not durable wants
 * this"), the durable targets, and its $share groups.  Filter ids are 64-bit and never used again.
 * Matching collects into the caller's arrays and acts on nothing. Locks: slots.h; always before
 * those of the retained tree.  Levels are walked without recursion. */
#ifndef TREE_ROUTE_H
#define TREE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/packet_subscribe.h"

struct route;
struct level_node;

#define ROUTE_HOMES_MAX 64

struct route *route_new(unsigned executors);
void route_free(struct route *r);

/* Whom a message goes to by name: a durable session, or a member of a $share group. */
struct route_target {
	uint64_t session_id;
	uint32_t subscription_id; /* Subscription Identifier, 0: none */
	uint16_t executor;
	bool durable; /* always true outside of groups */
	bool online;  /* of a group's member: set when it is picked */
	struct subscription_options options;
	uint64_t since; /* the clock when the subscription began: retained changes up to it are
	                   replayed, not delivered live */
};

/* --- writers; slot: of the calling home, not locked by it --- */

/* The first non-durable subscriber of `home` joins: the filter's id. Joining again is the same id,
 * and holds nobody up. From the executor itself only. */
uint64_t route_join(struct route *r, unsigned executor, struct slice filter);
/* The last one leaves. A filter without anybody is forgotten, its id with it. */
void route_leave(struct route *r, unsigned executor, struct slice filter);

/* A durable session subscribes, or replaces its subscription of this filter (one target per session
 * and filter). True: it was new. target->since is set inside from *clock (see retain.h), while all
 * publishers are held off. */
bool route_target_put(struct route *r, struct slice filter, struct route_target *target,
                      const _Atomic uint64_t *clock);
bool route_target_remove(struct route *r, struct slice filter, uint64_t session_id);

/* $share: members of (group, filter). A member that is not durable is always online; a durable one
 * is marked as its connection comes and goes. */
bool route_share_put(struct route *r, struct slice group, struct slice filter,
                     const struct route_target *member, bool online);
bool route_share_remove(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id);
void route_share_online(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id, bool online);

/* --- readers --- */

struct route_filter_match {
	uint64_t filter_id;
	uint64_t executors; /* bit per home */
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
	/* route.c's own: the nodes reached, this level's and the next one's */
	struct level_node **frontier[2];
	size_t frontier_cap;
};

void route_match_fini(struct route_match *m);

/* The read section of a publish: match, store and number inside one. slot: of the calling home. */
void route_read_begin(struct route *r, unsigned slot);
void route_read_end(struct route *r, unsigned slot);
/* Collect everybody who wants `topic` (a valid topic name) into *out (cleared first). Inside a read
 * section. */
void route_match(struct route *r, struct slice topic, struct route_match *out);

/* Another member of a group, none of those in `tried`; false: nobody else. Takes the read section
 * itself. */
bool route_share_pick(struct route *r, unsigned slot, uint64_t group_id, const uint64_t *tried,
                      size_t tried_count, struct route_target *out);

struct route_counts {
	uint64_t filters, executors_joined, targets, share_members;
};
void route_count(struct route *r, unsigned slot, struct route_counts *out);

#endif
