/* Who pays for the memory that clients use: a user (all anonymous clients are one), or an
 * address, for those who have not logged in and for connections of anonymous clients.  One record
 * for each, shared by all workers; each worker counts in a part of its own, so that counting costs
 * neither a lock nor a shared cache line.  Thread: any, unless it says otherwise. */
#ifndef WORKER_PAYER_H
#define WORKER_PAYER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/thread.h"

enum payer_kind {
	PAYER_USER,            /* the key is that of the identity */
	PAYER_ADDRESS,         /* peer_key_text; of anonymous clients */
	PAYER_UNAUTHENTICATED, /* the same, of those who have not logged in */
};

struct payer_part {
	_Atomic uint64_t memory_bytes;
	_Atomic uint64_t connections;
} __attribute__((aligned(64)));

struct payer {
	UT_hash_handle hh;
	uint32_t refs;                /* under the lock of the payers */
	_Atomic uint64_t store_bytes; /* of queues in the store; written by the journal */
	unsigned part_count;
	enum payer_kind kind;
	size_t key_len;
	uint8_t *key;              /* the kind, then the key itself */
	struct payer_part parts[]; /* one for each worker: it alone writes */
};

struct payers {
	struct mutex lock;
	struct payer *by_key;
	unsigned workers;
};

void payers_init(struct payers *p, unsigned workers);
void payers_fini(struct payers *p); /* every reference is back */

/* A new reference; give it back with payer_unref. */
struct payer *payers_find(struct payers *p, enum payer_kind kind, struct slice key);
struct payer *payer_ref(struct payers *p, struct payer *payer);
/* NULL is fine. When it is the last one, nothing may be left to pay. */
void payer_unref(struct payers *p, struct payer **payer);

static inline struct slice payer_key(const struct payer *payer)
{
	return slice_of(payer->key + 1, payer->key_len - 1);
}

/* Thread: the worker's. */
static inline void payer_add(struct payer *payer, unsigned worker, uint64_t bytes)
{
	_Atomic uint64_t *counter = &payer->parts[worker].memory_bytes;

	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + bytes,
	                      memory_order_relaxed);
}

static inline void payer_sub(struct payer *payer, unsigned worker, uint64_t bytes)
{
	payer_add(payer, worker, (uint64_t)0 - bytes);
}

uint64_t payer_memory(const struct payer *payer);
uint64_t payer_connections(const struct payer *payer);

/* Each of them, under the lock: be short, and call nothing of this file. */
typedef void payer_visit_fn(void *arg, struct payer *payer);
void payers_visit(struct payers *p, payer_visit_fn *visit, void *arg);

#endif
