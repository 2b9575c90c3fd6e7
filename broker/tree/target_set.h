/* A set of route targets, one per session: an array, and an index by session id once it is large,
 * so that thousands of sessions that come and go do not cost quadratic time.  No locks: the route
 * tree's protect it. */
#ifndef TREE_TARGET_SET_H
#define TREE_TARGET_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/packet_subscribe.h"

/* A receiver that is named by its session: a durable session, or a member of a $share group. */
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

/* The largest number of executors: bits of route_match.executors. */
#define ROUTE_EXECUTORS_MAX 64

#define TARGET_NONE UINT32_MAX

/* Zero-initialised is empty. */
struct targets {
	struct route_target *at;
	uint32_t count, cap;
	uint32_t *index; /* position + 1, 0: free; NULL while the set is small */
	uint32_t index_mask;
};

void target_set_fini(struct targets *t);
uint32_t target_set_find(const struct targets *t, uint64_t session_id);       /* or TARGET_NONE */
void target_set_append(struct targets *t, const struct route_target *target); /* a new session */
void target_set_swap(struct targets *t, uint32_t a, uint32_t b);
void target_set_remove(struct targets *t, uint32_t position); /* the last one takes its place */

#endif
