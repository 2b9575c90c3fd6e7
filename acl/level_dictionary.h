/* Literal levels of all filters of a policy, numbered, so that the trees compare numbers and a
 * topic's levels are hashed once per check.  Its table is not base/table.h: the hash is made while
 * the level is found, eight bytes at a time, and an entry is text and a number, no object.  Built
 * once, then immutable.  Thread: any. */
#ifndef ACL_LEVEL_DICTIONARY_H
#define ACL_LEVEL_DICTIONARY_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Literal level -> number from 1. An open hash table whose entries only the file decides: what a
 * peer sends is looked up and never put in, so the hash needs no key. */
struct level_dictionary {
	struct level_dictionary_slot {
		uint64_t hash;
		uint32_t id; /* 0: free */
		uint32_t len;
		const uint8_t *text;
	} * slots;
	uint32_t mask;  /* slots - 1 */
	unsigned shift; /* of a hash: its highest bits are the slot */
	uint32_t count;
};

/* The levels of a topic or filter, one after the other. */
struct level_reader {
	const uint8_t *start; /* of the whole */
	const uint8_t *at;
	const uint8_t *end;
};

static inline struct level_reader level_reader_of(struct slice whole)
{
	const uint8_t *start = whole.len == 0 ? (const uint8_t *)"" : whole.data;

	return (struct level_reader){.start = start, .at = start, .end = start + whole.len};
}

struct hashed_level {
	struct slice text;
	uint64_t hash;
};

/* Levels of fewer bytes than this have the same hash only if they are the same. */
#define LEVEL_WORD 8

static inline uint64_t level_load(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

/* The last bytes, fewer than a word, with zeros behind them. Nothing after the end is read. */
static inline uint64_t level_load_rest(const struct level_reader *r)
{
	size_t left = (size_t)(r->end - r->at);
	uint64_t word = 0;

	if (r->end - r->start >= LEVEL_WORD) /* in two steps: by 64 is no shift */
		return level_load(r->end - LEVEL_WORD) >> (8 * (LEVEL_WORD - left) - 1) >> 1;
	while (left-- > 0)
		word = word << 8 | r->at[left];
	return word;
}

/* The highest bit of each byte that is a '/'; above the lowest one there may be others. */
static inline uint64_t level_separators(uint64_t word)
{
	uint64_t zero = word ^ 0x2f2f2f2f2f2f2f2fU;

	return (zero - 0x0101010101010101U) & ~zero & 0x8080808080808080U;
}

/* Of the first word of a level nothing is lost: the factor is odd. */
static inline uint64_t level_hash_word(uint64_t hash, uint64_t word)
{
	return ((hash << 7 | hash >> 57) ^ word) * 0x9e3779b97f4a7c15U;
}

/* A level of so many bytes or more, from its second word on. */
void level_read_long(struct level_reader *r, struct hashed_level *level);

/* The next level, without what follows it; r->at stands after it. */
static inline void level_read(struct level_reader *r, struct hashed_level *level)
{
	size_t left = (size_t)(r->end - r->at);
	uint64_t word = left < LEVEL_WORD ? level_load_rest(r) : level_load(r->at);
	uint64_t found = level_separators(word);

	level->text = slice_of(r->at, left);
	if (found != 0) {
		level->text.len = (size_t)__builtin_ctzll(found) / 8;
		word &= ((found & -found) >> 7) - 1;
	}
	level->hash = level_hash_word(0, word);
	/* mutant: level_is_one_word */
	if (found == 0 && left >= LEVEL_WORD)
		level_read_long(r, level);
	else
		r->at += level->text.len;
}

static inline uint32_t level_dictionary_find(const struct level_dictionary *d,
                                             const struct hashed_level *level)
{
	size_t len = level->text.len;
	const struct level_dictionary_slot *slot;

	for (uint32_t i = (uint32_t)(level->hash >> d->shift);; i++) {
		slot = &d->slots[i & d->mask];
		if (slot->id == 0)
			return 0;
		if (slot->hash == level->hash && slot->len == len &&
		    (len < LEVEL_WORD || memcmp(slot->text, level->text.data, len) == 0))
			return slot->id;
	}
}

/* The number of a text, a new one where it has none. Borrows the text. */
uint32_t level_dictionary_add(struct level_dictionary *d, struct slice text);
void level_dictionary_init(struct level_dictionary *d);
void level_dictionary_fini(struct level_dictionary *d);

#endif
