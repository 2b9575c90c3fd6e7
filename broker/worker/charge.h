/* What one object (a connection, a session) has of the memory that its payer pays for.  It is
 * counted for the object, for the payer and for the worker's part of the whole at once.  Asking is
 * apart from counting (quota_memory): what is counted without asking is small, or there already.
 * Thread: the object's worker. */
#ifndef WORKER_CHARGE_H
#define WORKER_CHARGE_H

#include "worker/payer.h"
#include "worker/worker.h"

/* What an allocation costs besides its bytes. */
#define CHARGE_ALLOC ((size_t)16)

struct charge {
	struct payer *payer; /* a reference; NULL: nobody pays */
	uint64_t bytes;
};

/* Takes over the reference. Nothing is charged yet. */
void charge_init(struct charge *c, struct payer *payer);
/* Give everything back, and the reference. Does nothing if there was none. */
void charge_fini(struct worker *w, struct charge *c);
/* Inline: each message in flight costs two of them. */
static inline void charge_add(struct worker *w, struct charge *c, uint64_t bytes)
{
	c->bytes += bytes;
	payer_add(c->payer, w->executor.index, bytes);
	count_by(&w->counters.memory_bytes, bytes);
}

static inline void charge_sub(struct worker *w, struct charge *c, uint64_t bytes)
{
	REQUIRE(bytes <= c->bytes);
	charge_add(w, c, (uint64_t)0 - bytes);
}

/* It has this much now. */
void charge_set(struct worker *w, struct charge *c, uint64_t bytes);
/* Somebody else pays from now on. Takes over the reference. */
void charge_move(struct worker *w, struct charge *c, struct payer *payer);

#endif
