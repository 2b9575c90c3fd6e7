/* Who subscribes to a topic: the tree of filters, shared by all workers, read on every publish. A
 * node of a filter carries a bit per worker ("a subscriber here is not durable"), the durable
 * targets, and its $share groups (route_share.h). Filter ids are 64-bit and never used again.
 * Locks: reader_locks.h, a slot for each executor; always before those of the retained tree. */
#ifndef TREE_ROUTE_H
#define TREE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tree/target_set.h"

struct route;

struct route *route_new(unsigned executors);
void route_free(struct route *r);

/* --- writers: the calling executor does not hold its slot --- */

/* The first non-durable subscriber of an executor joins: the filter's id. Joining again gives the
 * same id, and blocks nobody. From the executor itself only. */
uint64_t route_join(struct route *r, unsigned executor, struct slice filter);
/* The last one leaves. A filter without subscribers is removed, and its id too. */
void route_leave(struct route *r, unsigned executor, struct slice filter);

/* A durable session subscribes, or replaces its subscription of this filter (one target per session
 * and filter). True: it was new. target->since is set inside from *clock (see retain.h), while all
 * publishers are locked out. */
bool route_target_put(struct route *r, struct slice filter, struct route_target *target,
                      const _Atomic uint64_t *clock);
bool route_target_remove(struct route *r, struct slice filter, uint64_t session_id);

/* The read section of a publish: match, store and number inside one. slot: of the calling executor.
 */
void route_read_begin(struct route *r, unsigned slot);
void route_read_end(struct route *r, unsigned slot);
/* Abort outside of the read section of this slot: in debug and sanitizer builds. */
void route_read_require(const struct route *r, unsigned slot);
struct route_counts {
	uint64_t filters, executors_joined, targets, share_members;
};
void route_count(struct route *r, unsigned slot, struct route_counts *out);

#endif
