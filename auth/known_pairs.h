/* Which users have logged in from which addresses, since the start: who has is hardly somebody who
 * guesses.  A fixed number of 64-bit digests under the key of the process (base/hash.h); in each
 * set of WAYS the one that has been quiet longest is forgotten first.  Thread: the caller's lock.
 */
#ifndef AUTH_KNOWN_PAIRS_H
#define AUTH_KNOWN_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define KNOWN_PAIRS_WAYS 8
#define KNOWN_PAIRS_SETS 2048
#define KNOWN_PAIRS_MAX  (KNOWN_PAIRS_WAYS * KNOWN_PAIRS_SETS)

/* Zero-initialised is empty. */
struct known_pairs {
	/* The last used first; 0 is free. */
	uint64_t digests[KNOWN_PAIRS_SETS][KNOWN_PAIRS_WAYS];
};

/* This user has logged in from there. */
void known_pairs_put(struct known_pairs *k, struct slice address, struct slice user);
bool known_pairs_has(const struct known_pairs *k, struct slice address, struct slice user);

#endif
