/* How much is retained, by which user, and how much may be.  Thread: any. */
#ifndef TREE_RETAIN_LIMITS_H
#define TREE_RETAIN_LIMITS_H

#include "tree/retain.h"

/* What there may be of them. */
struct retain_limits {
	uint64_t values, values_per_user, bytes;
};
/* Which limit would retain_put of this value pass? NULL: none. [MQTT5-3.4.2-1] */
const char *retain_limits_exceeded(const struct retain_change *c, const struct msg *msg,
                                   const struct retain_limits *limits);
/* How many bytes more it would take, of all that is retained and of what its writer has of that. */
void retain_limits_growth(const struct retain_change *c, const struct msg *msg, uint64_t *more,
                          uint64_t *more_of_writer);

/* Everybody who wrote some, and what they take: called under a lock, so be short. */
typedef void retain_limits_visit_fn(void *arg, struct slice user_key, uint64_t bytes);
void retain_limits_visit_writers(struct retain *r, retain_limits_visit_fn *visit, void *arg);
/* What the values take that this user wrote. */
uint64_t retain_limits_user_bytes(struct retain *r, struct slice user_key);

#endif
