/* Retained values: the tree of topics, shared by all workers.  DESIGN.md section 4, invariant D4.
 * One clock (an atomic 64-bit number) counts retained changes.  A change takes its number under the
 * topic's shard mutex and stores it with the value, so that mailboxes and journal see a topic's
 * values in number order. (A deletion's number is for them alone: here nobody asks a tombstone for
 * it.) Owners (`own` rules) live here too: a
 * tombstone keeps its owner for 7 days. */
#ifndef TREE_RETAIN_H
#define TREE_RETAIN_H

#include "tree/msg.h"

struct retain;

/* A topic's owner outlives its value by this. */
#define RETAIN_OWNED_AFTER_MS ((uint64_t)7 * 24 * 3600 * 1000)

struct retain *retain_new(unsigned executors);
void retain_free(struct retain *r);
/* The clock, for route_target_put and for every other subscription: the number of the newest
 * change. */
const _Atomic uint64_t *retain_clock(const struct retain *r);

/* One change of one topic. Between begin and end the topic's shard is held: what is sent
 * meanwhile leaves in number order. Keep it short, never block, never begin a second one. Call
 * inside a route read section (or none), slot: of the calling home. */
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
/* What there may be of them. */
struct retain_limits {
	uint64_t values, values_per_user, bytes;
};
/* Which limit would retain_put of this value pass? NULL: none. [MQTT5-3.4.2-1] */
const char *retain_exceeds(const struct retain_change *c, const struct msg *msg,
                           const struct retain_limits *limits);
/* How many bytes more it would take, of all that is retained and of what its writer has of that. */
void retain_growth(const struct retain_change *c, const struct msg *msg, uint64_t *more,
                   uint64_t *more_of_writer);
/* Store a value (takes its own reference; sets msg->number). */
void retain_put(struct retain_change *c, struct msg *msg);
/* Delete: a tombstone stays as long as it is needed (owner: 7 days; else until nobody replays it).
 * Takes a number even where there was nothing to delete. */
void retain_delete(struct retain_change *c, uint64_t now_ms);
void retain_own(struct retain_change *c,
                struct slice owner); /* make the owner; empty: give up ownership at once */
void retain_end(struct retain_change *c);

/* One that was kept: with the number it had (the clock is never below it), its value (NULL:
 * deleted, owned until then, monotonic) and its owner. Before anybody else is there. */
void retain_restore(struct retain *r, struct slice topic, uint64_t number, struct msg *msg,
                    struct slice owner, uint64_t owned_until_ms);
/* The clock is at least this. */
void retain_advance(struct retain *r, uint64_t number);

/* Who owns this topic, appended to *key (nothing: nobody). For publishes that are not retained. */
void retain_owner(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct buf *key);
/* Forget everything that this user owns (the user was removed). */
void retain_release_owner(struct retain *r, struct slice owner);

/* Replay: the values that a filter matches and whose number is not above `until`, in slices.  A
 * cursor survives changes of the tree between slices: every value that was there, unchanged, from
 * the start to the end of the replay is given exactly once. */
struct retain_cursor;
struct retain_cursor *retain_cursor_new(struct retain *r, struct slice filter, uint64_t until);
void retain_cursor_free(struct retain_cursor **c);
/* What it takes of memory. */
size_t retain_cursor_bytes(const struct retain_cursor *c);

/* `generation` of the policy for which the writer was found (still) permitted, kept per value by
 * the caller: 0 at first. */
typedef bool retain_visit_fn(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation);
/* Visit at most `budget` values (expired ones are passed over and counted as visited); `visit` runs
 * under the reader's lock: collect only. It returns false to stop behind this value. True: there is
 * more; come again. */
bool retain_replay(struct retain_cursor *c, unsigned slot, uint64_t now_ms, size_t budget,
                   retain_visit_fn *visit, void *arg);

/* The value of one topic, NULL: none (a new reference otherwise). */
struct msg *retain_find(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms);
/* Would a replay up to `until` give a value of this one topic? (It may have expired.) */
bool retain_has(struct retain *r, unsigned slot, struct slice topic, uint64_t until);
/* Drop values that expired and tombstones that are done, a bounded number of nodes per call; call
 * it now and then. */
void retain_sweep(struct retain *r, uint64_t now_ms, size_t budget);

struct retain_counts {
	uint64_t values, bytes;
};
void retain_count(const struct retain *r, struct retain_counts *out);
/* Everybody who wrote some, and what they take: called under a lock, so be short. */
typedef void retain_writer_fn(void *arg, struct slice user_key, uint64_t bytes);
void retain_visit_writers(struct retain *r, retain_writer_fn *visit, void *arg);
/* What the values take that this user wrote. */
uint64_t retain_user_bytes(struct retain *r, struct slice user_key);

#endif
