/* Open addressing; the table doubles when it is half full. */
#include "acl/level_dictionary.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define SLOT_BITS 6 /* at first */

static void make_slots(struct level_dictionary *d, unsigned bits)
{
	d->mask = ((uint32_t)1 << bits) - 1;
	d->shift = 64 - bits;
	d->slots = xcalloc((size_t)d->mask + 1, sizeof(*d->slots));
}

void level_dictionary_init(struct level_dictionary *d)
{
	*d = (struct level_dictionary){0};
	make_slots(d, SLOT_BITS);
}

void level_dictionary_fini(struct level_dictionary *d)
{
	free(d->slots);
	*d = (struct level_dictionary){0};
}

static void level_dictionary_place(struct level_dictionary *d, struct level_dictionary_slot slot)
{
	uint32_t i = (uint32_t)(slot.hash >> d->shift);

	while (d->slots[i].id != 0)
		i = (i + 1) & d->mask;
	d->slots[i] = slot;
}

static void level_dictionary_grow(struct level_dictionary *d)
{
	struct level_dictionary_slot *old = d->slots;
	uint32_t old_mask = d->mask;

	make_slots(d, 64 - d->shift + 1);
	for (uint32_t i = 0; i <= old_mask; i++) {
		if (old[i].id != 0)
			level_dictionary_place(d, old[i]);
	}
	free(old);
}

void level_read_long(struct level_reader *r, struct hashed_level *level)
{
	for (;;) {
		uint64_t word, found;
		size_t left;

		r->at += LEVEL_WORD;
		left = (size_t)(r->end - r->at);
		word = left < LEVEL_WORD ? level_load_rest(r) : level_load(r->at);
		found = level_separators(word);
		if (found != 0) {
			left = (size_t)__builtin_ctzll(found) / 8;
			word &= ((found & -found) >> 7) - 1;
		}
		level->hash = level_hash_word(level->hash, word);
		if (left < LEVEL_WORD) {
			r->at += left;
			level->text.len = (size_t)(r->at - level->text.data);
			return;
		}
	}
}

uint32_t level_dictionary_add(struct level_dictionary *d, struct slice text)
{
	struct level_reader reader = level_reader_of(text);
	struct hashed_level level;
	uint32_t id;

	level_read(&reader, &level);
	id = level_dictionary_find(d, &level);
	REQUIRE(level.text.len == text.len && text.len <= UINT32_MAX);
	if (id != 0)
		return id;
	if ((d->count + 1) * 2 > d->mask)
		level_dictionary_grow(d);
	id = ++d->count;
	level_dictionary_place(
	    d, (struct level_dictionary_slot){
		   .hash = level.hash, .id = id, .len = (uint32_t)text.len, .text = text.data});
	return id;
}
