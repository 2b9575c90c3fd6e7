/* Whose question is hashed next: source addresses take turns, and one that guessed wrong waits
 * before its next hash while the others go on; then those of its users go first who did not.  No
 * threads and no clock in here: the caller brings its lock and the time. */
#ifndef AUTH_HASH_QUEUE_H
#define AUTH_HASH_QUEUE_H

#include "auth/authenticator.h"

#define DELAY_FIRST_MS     250U
#define DELAY_LAST_MS      8000U
#define DELAY_FORGOTTEN_MS UINT64_C(600000) /* of quiet; much longer than waiting it out */
#define QUEUE_SOURCES_MAX  4096 /* remembered without a question; the longest quiet go first */

struct auth_source;

struct queue {
	struct auth_source *sources; /* by address; the longest quiet first */
	struct auth_source *turns;   /* with questions, in the order of their turns */
	size_t idle;                 /* sources without questions */
};

/* What it does to the delay of the address. A success proves who asked, and no more: it forgives
 * the failures with its own user name; those with other names could be guesses. */
enum queue_outcome {
	QUEUE_RIGHT,   /* hashed: less delay, or none, and none for this answer */
	QUEUE_WRONG,   /* hashed: a longer delay */
	QUEUE_SKIPPED, /* not hashed */
};

void queue_fini(struct queue *queue); /* no questions may be left */
/* Set q->source and q->user_key; q is the queue's until it is taken or removed. */
void queue_put(struct queue *queue, struct auth_question *q, struct slice address, uint64_t now_ms);
/* The next question, NULL where none may go now: *wait_ms until one may, UINT64_MAX for not before
 * something changes. Its source stays busy until queue_done. */
struct auth_question *queue_take(struct queue *queue, uint64_t now_ms, uint64_t *wait_ms);
void queue_done(struct queue *queue, struct auth_question *q, enum queue_outcome outcome,
                uint64_t now_ms);
/* Take a question back; false where it is not waiting (any more). */
bool queue_remove(struct queue *queue, struct auth_question *q);
/* Any question that waits, whatever its delay; NULL where there is none. */
struct auth_question *queue_pop(struct queue *queue);
/* For checks that need no thread and no turn, and whose outcome is known: may this address have its
 * answer now? False: try again in *wait_ms. Of one that has guessed, one wrong answer is let
 * through per delay. */
bool queue_pass(struct queue *queue, struct slice address, enum queue_outcome outcome,
                uint64_t now_ms, uint64_t *wait_ms);
/* How such a check ended; counts as one of a hash. */
void queue_note(struct queue *queue, struct slice address, struct slice user,
                enum queue_outcome outcome, uint64_t now_ms);
bool queue_is_empty(const struct queue *queue);
size_t queue_source_count(const struct queue *queue);

#endif
