/* A set-associative table: the digest selects the set, and moves to its front when it is used. */
#include "auth/known_pairs.h"

#include <string.h>

#include "base/hash.h"

static uint64_t digest_of(struct slice address, struct slice user)
{
	const uint64_t both[2] = {hash_bytes(address.data, address.len),
	                          hash_bytes(user.data, user.len)};
	uint64_t digest = hash_bytes(both, sizeof(both));

	return digest == 0 ? 1 : digest;
}

void known_pairs_put(struct known_pairs *k, struct slice address, struct slice user)
{
	uint64_t digest = digest_of(address, user);
	uint64_t *set = k->digests[digest % KNOWN_PAIRS_SETS];
	unsigned at = 0;

	while (at < KNOWN_PAIRS_WAYS - 1 && set[at] != digest)
		at++;
	memmove(set + 1, set, at * sizeof(*set));
	set[0] = digest;
}

bool known_pairs_has(const struct known_pairs *k, struct slice address, struct slice user)
{
	uint64_t digest = digest_of(address, user);
	const uint64_t *set = k->digests[digest % KNOWN_PAIRS_SETS];

	for (unsigned at = 0; at < KNOWN_PAIRS_WAYS; at++) {
		if (set[at] == digest)
			return true;
	}
	return false;
}
