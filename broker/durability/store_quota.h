/* The share of the store that the queues of one user may take.  Thread: the worker's, except
 * store_quota_begin. */
#ifndef DURABILITY_STORE_QUOTA_H
#define DURABILITY_STORE_QUOTA_H

#include <stddef.h>
#include <stdint.h>

struct config_snapshot;
struct payer;
struct shared;
struct worker;

/* Who pays for the queues; the share of a user by this configuration. */
void store_quota_begin(struct shared *shared);
void store_quota_set(struct shared *shared, const struct config_snapshot *snapshot);
/* May a queue of this payer take so many bytes more? `own_bytes`: what that queue has, perhaps not
 * written yet. NULL: it may. */
const char *store_quota_exceeds(const struct worker *w, const struct payer *payer,
                                uint64_t own_bytes, size_t bytes);

#endif
