/* Which request is hashed next, and who has to wait.  Addresses take turns, and within an address
 * its pairs (guess_table.h); those without wrong passwords go first, and of them the pairs that
 * have logged in before (known_pairs.h), but the others get a part of the turns.  A pair for which
 * GUESSES_FREE different wrong passwords were tried is delayed: one hash at a time, a pause after
 * each wrong password, two hashes a second for all delayed pairs of one address, at most
 * HASH_QUEUE_WAITING_MAX requests that wait, and chance decides which of them is next.
 *
 * To learn whether a password is in the cache of successes is worth a hash to somebody who
 * guesses. So it counts as a wrong password from then on until the answer says that it is right,
 * also when the client leaves before; and a delayed pair gets its answer only when its turn comes.
 *
 * No threads and no clock here: the caller has the lock and passes the time.  Inside auth/ only. */
#ifndef AUTH_HASH_QUEUE_H
#define AUTH_HASH_QUEUE_H

#include "auth/guess_table.h"
#include "auth/known_pairs.h"
#include "auth/login_delay.h"

#define HASH_QUEUE_WAITING_MAX 16
/* All delayed pairs of one address together: one hash in so long. */
#define HASH_QUEUE_SHARED_MS  500
#define HASH_QUEUE_REPORT_MAX 10
#define HASH_QUEUE_REPORT_MS  UINT64_C(600000)

struct hash_queue {
	struct guess_table table;
	struct known_pairs known;
	struct guess_source *turns; /* with waiting requests, in the order of their turns */
	uint64_t takes;
};

/* What becomes of a request. */
enum hash_queue_place {
	/* It may be looked up in the cache at once, and a proof may be answered: then
	 * hash_queue_hit, hash_queue_put or hash_queue_fail. */
	HASH_QUEUE_FREE,
	/* It is queued: its pair is delayed. It is looked up when it is taken. */
	HASH_QUEUE_WAITS,
	/* This password was tried here before, and it is wrong. */
	HASH_QUEUE_KNOWN_WRONG,
	/* Too many wait already. */
	HASH_QUEUE_FULL,
};

enum hash_queue_outcome {
	HASH_QUEUE_RIGHT,   /* it was hashed, or is in the cache of successes */
	HASH_QUEUE_WRONG,   /* it was hashed */
	HASH_QUEUE_SKIPPED, /* it was known to be wrong when its turn came */
};

void hash_queue_fini(struct hash_queue *queue); /* no requests may be left */

enum hash_queue_place hash_queue_ask(struct hash_queue *queue, struct hash_request *q,
                                     uint64_t now_ms);
/* It is not in the cache: it counts, and waits for a hash. True: this begins the delay of its pair.
 * q is the queue's until it is taken or removed. */
bool hash_queue_put(struct hash_queue *queue, struct hash_request *q, uint64_t now_ms);
/* It is right: its pair and its address are known from now on. */
void hash_queue_hit(struct hash_queue *queue, const struct hash_request *q);
/* It is a proof, and wrong. True: as above. */
bool hash_queue_fail(struct hash_queue *queue, const struct hash_request *q, uint64_t now_ms);
/* It is wrong, and was not known to be: before hash_queue_done, or after hash_queue_fail. True: the
 * log is to tell it, and that of the same address *suppressed were not told since the last one. An
 * address has HASH_QUEUE_REPORT_MAX lines in HASH_QUEUE_REPORT_MS, whatever others do. */
bool hash_queue_reports(struct hash_queue *queue, const struct hash_request *q, uint64_t now_ms,
                        uint32_t *suppressed);

/* The next request. NULL: none may be hashed now; one may in *wait_ms, or, for UINT64_MAX, not
 * before something changes. Its pair stays busy until hash_queue_done. */
struct hash_request *hash_queue_take(struct hash_queue *queue, uint64_t now_ms, uint64_t *wait_ms);
/* Of a request that was taken: it is known to be wrong. */
bool hash_queue_is_wrong(const struct hash_request *q);
/* True: as above. */
bool hash_queue_done(struct hash_queue *queue, struct hash_request *q,
                     enum hash_queue_outcome outcome, uint64_t now_ms);
/* Take a request back; false: it is not waiting (any more). */
bool hash_queue_remove(struct hash_queue *queue, struct hash_request *q, uint64_t now_ms);
/* Any request that waits, whatever its delay; NULL: there is none. */
struct hash_request *hash_queue_pop(struct hash_queue *queue);
bool hash_queue_is_empty(const struct hash_queue *queue);

/* --- for the administrator --- */

void hash_queue_visit(struct hash_queue *queue, login_delay_fn *fn, void *arg, uint64_t now_ms);
/* Forget the count of this user, from this address or, where it is empty, from all. How many pairs
 * were delayed. */
size_t hash_queue_forgive(struct hash_queue *queue, struct slice user, struct slice address,
                          uint64_t now_ms);

#endif
