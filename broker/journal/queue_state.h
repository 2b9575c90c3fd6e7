/* The sessions in the store, and what their queues hold.  Changes of a transaction are taken back
 * with it.  Thread: the writer's. */
#ifndef JOURNAL_QUEUE_STATE_H
#define JOURNAL_QUEUE_STATE_H

#include "journal/writer.h"

/* A session's queue. */
struct queue_state {
	bool exists;
	uint64_t count, bytes; /* stored */
	uint64_t bound_count, bound_bytes;
};

struct queue_owner {
	uint64_t id;
	void *owner;                    /* journal_owners; NULL: nobody */
	uint64_t charged;               /* to the owner, of now.bytes */
	struct queue_state now, before; /* before: when the transaction began */
	bool touched;
	struct queue_owner *next; /* touched */
};

struct queue_owner *queue_state_find(const struct writer *w, uint64_t id); /* NULL: none */
/* For a change, which is taken back if the transaction fails. */
struct queue_owner *queue_state_touch(struct writer *w, uint64_t id);
/* Find the owner by the session's value, where it is not known yet. */
void queue_state_find_owner(struct writer *w, struct queue_owner *s, struct slice value);
void queue_state_charge(struct writer *w, struct queue_owner *s); /* for now.bytes */
/* May its owner have so many bytes more? */
bool queue_state_owner_admits(const struct writer *w, const struct queue_owner *s, uint64_t bytes);
void queue_state_settle(struct writer *w);    /* it was committed */
void queue_state_take_back(struct writer *w); /* it was not */
void queue_state_fini(struct writer *w);

#endif
