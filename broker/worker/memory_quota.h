/* Limits of what all clients share: retained messages and memory.  New requests are refused;
 * existing data stays.  Thread: the worker's own. */
#ifndef WORKER_MEMORY_QUOTA_H
#define WORKER_MEMORY_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct msg;
struct payer;
struct retain_change;
struct shared;
struct worker;

/* May `writer` retain this in the place of what the topic has? NULL: it may; else what it exceeds.
 * Under the topic's shard. */
const char *quota_retained(struct worker *w, const struct payer *writer,
                           const struct retain_change *change, const struct msg *msg);
/* May the broker keep so many bytes more for this payer? NULL: it may; else which limit they
 * exceed. Nothing is counted by asking. */
const char *quota_memory(struct worker *w, const struct payer *payer, size_t bytes);
/* The same for those who come to drain: see quota_rule.h. */
const char *quota_memory_drain(struct worker *w, const struct payer *payer, size_t bytes);
/* All that is kept for clients, and what one payer has of it. */
uint64_t quota_memory_used(const struct shared *shared);
uint64_t quota_memory_paid(const struct shared *shared, const struct payer *payer);
/* A request was refused because of a memory limit: counted; one log line for several. `what` is in
 * plain words: "a subscription"; `peer` may be empty. */
struct quota_refusal {
	struct slice client_id, user;
	const char *peer, *what, *cause;
};
void quota_report_memory(struct worker *w, const struct quota_refusal *refusal);
/* Count and log a refused retained message: one line for several. */
void quota_report_retained(struct worker *w, const struct quota_refusal *refusal,
                           struct slice topic);

#endif
