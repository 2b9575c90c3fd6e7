/* Retained values by topic, shared by all workers: changes, and look-ups of one topic. One
 * clock (an atomic 64-bit number) counts retained changes. A change takes its number under the
 * topic's shard and stores it with the value, so that mailboxes and journal see a topic's values
 * in the order of their numbers. (A deletion's number is for them alone: no node keeps it.)
 * Topics have owners (`own` rules), which outlive the value by TOPIC_OWNERS_RETENTION_MS.
 * (Invariant D4 of DESIGN.md.) */
#ifndef TREE_RETAIN_H
#define TREE_RETAIN_H

#include "tree/msg.h"

struct retain;

struct retain *retain_new(unsigned executors);
void retain_free(struct retain *r);
/* The clock, for route_target_put and for every other subscription: the number of the newest
 * change. */
const _Atomic uint64_t *retain_clock(const struct retain *r);

/* One change of one topic. Between begin and end the topic's shard is held: what is sent
 * meanwhile leaves in number order. Keep it short, never block, never begin a second one. Call
 * inside a route read section (or none), slot: of the calling executor. */
struct retain_change {
	struct retain *retain;
	struct retain_node *node;
	unsigned slot;
	struct slice owner;  /* identity key of the owner, empty: nobody; borrowed until end */
	struct msg *current; /* borrowed; NULL: no value */
	uint64_t number;     /* this change's number, once put or deleted */
	uint64_t now_ms;     /* as given to retain_begin */
};

void retain_begin(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct retain_change *out);
/* Store a value (takes its own reference; sets msg->number). */
void retain_put(struct retain_change *c, struct msg *msg);
/* Delete: a tombstone stays as long as it is needed (owner: 7 days; else until nobody replays it).
 * Takes a number even where there was nothing to delete. */
void retain_delete(struct retain_change *c, uint64_t now_ms);
void retain_own(struct retain_change *c,
                struct slice owner); /* make the owner; empty: give up ownership at once */
void retain_end(struct retain_change *c);
/* Abort where the change's shard is not held (T3): in debug and sanitizer builds. */
void retain_require_locked(const struct retain_change *c);

/* Restore a stored one, with the number it had (the clock is never below it), its value (NULL:
 * deleted, owned until then, monotonic) and its owner. Before anybody else is there. */
void retain_restore(struct retain *r, struct slice topic, uint64_t number, struct msg *msg,
                    struct slice owner, uint64_t owned_until_ms);
/* The clock is at least this. */
void retain_advance(struct retain *r, uint64_t number);

/* Who owns this topic, appended to *key (nothing: nobody). For publishes that are not retained. */
void retain_owner(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct buf *key);
/* Release everything that this user owns (the user was removed). */
void retain_release_owner(struct retain *r, struct slice owner);
/* What this user owns is free while it is set aside, and counts for nobody. */
void retain_set_aside_owner(struct retain *r, struct slice owner, bool set_aside);
/* What `from` owns belongs to `into` from now on. */
void retain_merge_owner(struct retain *r, struct slice from, struct slice into);
/* Is there a topic that this user owns, or a value that the user wrote? */
bool retain_knows_owner(struct retain *r, struct slice owner);
/* How many values this user wrote; those of all that are set aside. */
uint32_t retain_count_written(struct retain *r, struct slice writer);
uint64_t retain_count_set_aside(struct retain *r);
/* Values that this user wrote, new references, in the next `budget` nodes from *at on: at most as
 * many. *at 0: the whole tree was seen. Only one thread calls it. */
size_t retain_find_written(struct retain *r, struct slice writer, size_t *at, size_t budget,
                           struct msg **out);

/* The value of one topic, NULL: none (a new reference otherwise). */
struct msg *retain_find(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms);
/* Would a replay up to `until` give a value of this one topic? (It may have expired.) */
bool retain_has(struct retain *r, unsigned slot, struct slice topic, uint64_t until);
/* Drop values that expired and tombstones that are done, a bounded number of nodes per call; call
 * it now and then. */
void retain_expire(struct retain *r, uint64_t now_ms, size_t budget);

struct retain_counts {
	uint64_t values, bytes;
	uint64_t of_broker, bytes_of_broker; /* among them: the broker's own, $SYS */
	uint64_t expired;                    /* since the start */
};
void retain_count(const struct retain *r, struct retain_counts *out);
#endif
