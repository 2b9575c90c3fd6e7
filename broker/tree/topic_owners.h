/* Who owns topics and who wrote their values: one shared record per user, so that either costs a
 * pointer and a removed user is forgotten everywhere at once.  A lock of its own, always the
 * innermost; any thread. */
#ifndef TREE_TOPIC_OWNERS_H
#define TREE_TOPIC_OWNERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/thread.h"

/* A topic has its owner for so long after its value is gone. */
#define TOPIC_OWNERS_RETENTION_MS ((uint64_t)7 * 24 * 3600 * 1000)

struct owner {
	uint32_t refs; /* under the lock */
	_Atomic bool gone;
	/* What it owns is free, and what it wrote counts for nobody, until it is brought back. */
	_Atomic bool set_aside;
	/* What it owns belongs to that one: a reference. NULL: to itself. */
	struct owner *_Atomic merged_into;
	_Atomic uint32_t values; /* retained values that this user wrote */
	_Atomic uint64_t bytes;  /* that they take */
	UT_hash_handle hh;
	size_t key_len;
	uint8_t key[];
};

struct owners {
	struct mutex lock;
	struct owner *by_key;
};

void topic_owners_init(struct owners *o);
void topic_owners_fini(struct owners *o);                           /* all references are back */
struct owner *topic_owners_ref(struct owners *o, struct slice key); /* a new reference */
void topic_owners_unref(struct owners *o, struct owner **owner);    /* NULL is fine */
/* Whoever holds a reference sees it gone; the same key starts again. */
void topic_owners_release(struct owners *o, struct slice key);

/* What this user owns is free for others, and is the user's again where nobody took it. */
void topic_owners_set_aside(struct owners *o, struct slice key, bool set_aside);
/* What `from` owns belongs to `into` from now on. */
void topic_owners_merge(struct owners *o, struct slice from, struct slice into);
/* How many retained values are of those that are set aside. */
uint64_t topic_owners_values_set_aside(struct owners *o);

bool topic_owners_exists(struct owners *o, struct slice key);
/* Retained values of this user; 0 where nobody has a record of it. */
uint32_t topic_owners_values(struct owners *o, struct slice key);
uint64_t topic_owners_bytes(struct owners *o, struct slice key);

/* Those of whom something is retained, under the lock. */
typedef void topic_owners_visit_fn(void *arg, struct slice key, uint64_t bytes);
void topic_owners_visit(struct owners *o, topic_owners_visit_fn *visit, void *arg);

/* Of the record itself. */
static inline struct slice topic_owners_own_key(const struct owner *owner)
{
	return owner == NULL ? SLICE_EMPTY : slice_of(owner->key, owner->key_len);
}

/* The one that it is merged into; itself. */
static inline const struct owner *topic_owners_now(const struct owner *owner)
{
	while (owner != NULL && owner->merged_into != NULL)
		owner = owner->merged_into;
	return owner;
}

/* Whose it is at this moment; empty: nobody's. */
static inline struct slice topic_owners_key(const struct owner *owner)
{
	const struct owner *now = topic_owners_now(owner);

	return now != NULL && now->set_aside ? SLICE_EMPTY : topic_owners_own_key(now);
}

#endif
