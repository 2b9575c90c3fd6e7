/* Literal levels of all filters of a policy, numbered, so that the trees compare numbers and a
 * topic's levels are hashed once per check.  Its table is not base/table.h: the hash is made while
 * the level is found, and an entry is text and a number, no object.  Built once, then immutable.
 * Thread: any. */
#ifndef ACL_LEVEL_DICTIONARY_H
#define ACL_LEVEL_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Literal level -> number from 1. An open hash table whose entries only the file decides: what a
 * peer sends is looked up and never put in, so the hash needs no key. */
struct level_dictionary {
	struct level_dictionary_slot {
		uint32_t hash;
		uint32_t id; /* 0: free */
		struct slice text;
	} * slots;
	uint32_t mask; /* slots - 1 */
	uint32_t count;
	size_t longest; /* bytes of the longest text */
};

/* The hash of a level, a byte at a time, so that the walk that looks for '/' makes it on the way.
 */
static inline uint64_t level_dictionary_hash_byte(uint64_t hash, uint8_t byte)
{
	return ((hash << 5) | (hash >> 59)) ^ byte;
}

static inline uint32_t level_dictionary_hash_end(uint64_t hash)
{
	return (uint32_t)((hash * 0x9e3779b97f4a7c15U) >> 32);
}

static inline uint32_t level_dictionary_find(const struct level_dictionary *d, uint32_t hash,
                                             struct slice text)
{
	uint32_t i = hash & d->mask;

	for (; d->slots[i].id != 0; i = (i + 1) & d->mask) {
		if (d->slots[i].hash == hash && slice_equal(d->slots[i].text, text))
			return d->slots[i].id;
	}
	return 0;
}

/* The number of a text, a new one where it has none. Borrows the text. */
uint32_t level_dictionary_add(struct level_dictionary *d, struct slice text);
void level_dictionary_init(struct level_dictionary *d);
void level_dictionary_fini(struct level_dictionary *d);

#endif
