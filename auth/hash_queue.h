/* Whose question is hashed next: source addresses take turns, and one that guessed wrong waits
 * before its next hash while the others go on; then those of its users go first who did not.  No
 * threads and no clock in here: the caller brings its lock and the time. */
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
	struct auth_source *turns;   /* with questions, in the order of their turns */
	size_t idle;                 /* sources without questions */
};

/* What it does to the delay of the address. A success proves who asked, and no more: it forgives
 * the failures with its own user name; those with other names could be guesses. */
enum hash_queue_outcome {
	HASH_QUEUE_RIGHT,   /* hashed: less delay, or none, and none for this answer */
	HASH_QUEUE_WRONG,   /* hashed: a longer delay */
	HASH_QUEUE_SKIPPED, /* not hashed */
};

void hash_queue_fini(struct hash_queue *queue); /* no questions may be left */
/* Set q->source and q->user_key; q is the queue's until it is taken or removed. */
void hash_queue_put(struct hash_queue *queue, struct hash_request *q, struct slice address,
                    uint64_t now_ms);
/* The next question, NULL where none may go now: *wait_ms until one may, UINT64_MAX for not before
 * something changes. Its source stays busy until hash_queue_done. */
struct hash_request *hash_queue_take(struct hash_queue *queue, uint64_t now_ms, uint64_t *wait_ms);
void hash_queue_done(struct hash_queue *queue, struct hash_request *q,
                     enum hash_queue_outcome outcome, uint64_t now_ms);
/* Take a question back; false where it is not waiting (any more). */
bool hash_queue_remove(struct hash_queue *queue, struct hash_request *q);
/* Any question that waits, whatever its delay; NULL where there is none. */
struct hash_request *hash_queue_pop(struct hash_queue *queue);
/* For checks that need no thread and no turn, and whose outcome is known: may this address have its
 * answer now? False: try again in *wait_ms. Of one that has guessed, one wrong answer is let
 * through per delay. */
bool hash_queue_pass(struct hash_queue *queue, struct slice address,
                     enum hash_queue_outcome outcome, uint64_t now_ms, uint64_t *wait_ms);
/* How such a check ended; counts as one of a hash. */
void hash_queue_note(struct hash_queue *queue, struct slice address, struct slice user,
                     enum hash_queue_outcome outcome, uint64_t now_ms);
bool hash_queue_is_empty(const struct hash_queue *queue);
size_t hash_queue_source_count(const struct hash_queue *queue);

#endif
