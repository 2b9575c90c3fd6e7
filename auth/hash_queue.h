/* Which request is hashed next.  Source addresses take turns.  One that failed waits before its
 * next hash while the others continue; then requests of its users that did not fail come first.  No
 * threads and no clock here: the caller has the lock and passes the time.  Inside auth/ only. */
#ifndef AUTH_HASH_QUEUE_H
#define AUTH_HASH_QUEUE_H

#include "auth/hash_request.h"

#define DELAY_FIRST_MS 250U
#define DELAY_LAST_MS  8000U
/* Of quiet; much longer than waiting it out. */
#define DELAY_FORGOTTEN_MS UINT64_C(600000)
/* Remembered without a request; those that have been quiet longest go first. */
#define HASH_QUEUE_SOURCES_MAX 4096

struct hash_queue {
	struct auth_source *sources; /* by address; the longest quiet first */
	struct auth_source *turns;   /* with requests, in the order of their turns */
	size_t idle;                 /* sources without requests */
};

/* What it does to the delay of the address. A success proves who asked, and no more: it cancels the
 * failures with its own user name; those with other names could be guesses. */
enum hash_queue_outcome {
	HASH_QUEUE_RIGHT,   /* hashed: less delay, or none, and none for this answer */
	HASH_QUEUE_WRONG,   /* hashed: a longer delay */
	HASH_QUEUE_SKIPPED, /* not hashed */
};

void hash_queue_fini(struct hash_queue *queue); /* no requests may be left */
/* Set q->source and q->user_key; q is the queue's until it is taken or removed. */
void hash_queue_put(struct hash_queue *queue, struct hash_request *q, struct slice address,
                    uint64_t now_ms);
/* The next request. NULL: none may be hashed now; one may in *wait_ms, or, for UINT64_MAX, not
 * before something changes. Its source stays busy until hash_queue_done. */
struct hash_request *hash_queue_take(struct hash_queue *queue, uint64_t now_ms, uint64_t *wait_ms);
void hash_queue_done(struct hash_queue *queue, struct hash_request *q,
                     enum hash_queue_outcome outcome, uint64_t now_ms);
/* Take a request back; false: it is not waiting (any more). */
bool hash_queue_remove(struct hash_queue *queue, struct hash_request *q);
/* Any request that waits, whatever its delay; NULL: there is none. */
struct hash_request *hash_queue_pop(struct hash_queue *queue);
/* For checks that need no thread and no turn, and whose outcome is known: may this address have its
 * answer now? False: try again in *wait_ms. An address that failed gets one refusal per delay. */
bool hash_queue_pass(struct hash_queue *queue, struct slice address,
                     enum hash_queue_outcome outcome, uint64_t now_ms, uint64_t *wait_ms);
/* How such a check ended; it counts like a hash. */
void hash_queue_note(struct hash_queue *queue, struct slice address, struct slice user,
                     enum hash_queue_outcome outcome, uint64_t now_ms);
bool hash_queue_is_empty(const struct hash_queue *queue);
size_t hash_queue_source_count(const struct hash_queue *queue);

#endif
