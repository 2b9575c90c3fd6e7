/* Open addressing; the table doubles when it is half full. */
#include "acl/level_dictionary.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

void level_dictionary_init(struct level_dictionary *d)
{
	*d = (struct level_dictionary){.mask = 63};
	d->slots = xcalloc(d->mask + 1, sizeof(*d->slots));
}

void level_dictionary_fini(struct level_dictionary *d)
{
	free(d->slots);
	*d = (struct level_dictionary){0};
}

static void level_dictionary_place(struct level_dictionary *d, struct level_dictionary_slot slot)
{
	uint32_t i = slot.hash & d->mask;

	while (d->slots[i].id != 0)
		i = (i + 1) & d->mask;
	d->slots[i] = slot;
}

static void level_dictionary_grow(struct level_dictionary *d)
{
	struct level_dictionary_slot *old = d->slots;
	uint32_t old_mask = d->mask;

	d->mask = old_mask * 2 + 1;
	d->slots = xcalloc((size_t)d->mask + 1, sizeof(*d->slots));
	for (uint32_t i = 0; i <= old_mask; i++) {
		if (old[i].id != 0)
			level_dictionary_place(d, old[i]);
	}
	free(old);
}

uint32_t level_dictionary_add(struct level_dictionary *d, struct slice text)
{
	uint64_t state = 0;
	uint32_t hash, id;

	REQUIRE(d->slots != NULL && d->count < d->mask);
	for (size_t i = 0; i < text.len; i++)
		state = level_dictionary_hash_byte(state, text.data[i]);
	hash = level_dictionary_hash_end(state);
	id = level_dictionary_find(d, hash, text);
	if (id != 0)
		return id;
	if ((d->count + 1) * 2 > d->mask)
		level_dictionary_grow(d);
	id = ++d->count;
	level_dictionary_place(
	    d, (struct level_dictionary_slot){.hash = hash, .id = id, .text = text});
	if (text.len > d->longest)
		d->longest = text.len;
	return id;
}
