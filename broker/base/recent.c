/* A thousand entries at most: looking at all of them costs a microsecond, and less memory than an
 * index would. */
#include "base/recent.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/require.h"

void recent_init(struct recent *r, size_t max, size_t max_per_key, size_t max_bytes)
{
	REQUIRE(max > 0 && max_per_key > 0 && max_per_key <= max && max_bytes > 0);
	*r = (struct recent){.max = max, .max_per_key = max_per_key, .max_bytes = max_bytes};
}

void recent_fini(struct recent *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->entries[i].text);
	free(r->entries);
	*r = (struct recent){.max = 0};
}

static size_t cost_of(size_t len)
{
	return sizeof(struct recent_entry) + len;
}

static void forget(struct recent *r, size_t at)
{
	REQUIRE(at < r->count && r->bytes >= cost_of(r->entries[at].len));
	r->bytes -= cost_of(r->entries[at].len);
	free(r->entries[at].text);
	r->entries[at] = r->entries[--r->count];
}

/* The oldest, of this key alone where `of_key`; there must be one. */
static size_t oldest(const struct recent *r, bool of_key, uint64_t key)
{
	size_t found = r->count;

	for (size_t i = 0; i < r->count; i++) {
		const struct recent_entry *e = &r->entries[i];

		if ((!of_key || e->key == key) &&
		    (found == r->count || e->number < r->entries[found].number))
			found = i;
	}
	return found;
}

static size_t count_of(const struct recent *r, uint64_t key)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += r->entries[i].key == key;
	return count;
}

static void make_place(struct recent *r, uint64_t key, size_t len)
{
	/* mutant: recent_of_each_key */
	if (count_of(r, key) >= r->max_per_key)
		forget(r, oldest(r, true, key));
	while (r->count > 0 && (r->count >= r->max || r->bytes + cost_of(len) > r->max_bytes))
		forget(r, oldest(r, false, 0));
}

bool recent_again(struct recent *r, uint64_t key, uint64_t what, int64_t wall_ms)
{
	REQUIRE(r->max > 0);
	for (size_t i = 0; i < r->count; i++) {
		struct recent_entry *e = &r->entries[i];

		if (e->key != key || e->what != what)
			continue;
		e->count++;
		e->last_ms = wall_ms;
		e->number = ++r->last_number;
		return true;
	}
	return false;
}

void recent_add(struct recent *r, uint64_t key, uint64_t what, struct slice text, int64_t wall_ms)
{
	REQUIRE(r->max > 0);
	if (cost_of(text.len) > r->max_bytes)
		return;
	make_place(r, key, text.len);
	array_reserve(r->entries, r->cap, r->count + 1);
	r->bytes += cost_of(text.len);
	r->entries[r->count++] = (struct recent_entry){.key = key,
	                                               .what = what,
	                                               .number = ++r->last_number,
	                                               .count = 1,
	                                               .first_ms = wall_ms,
	                                               .last_ms = wall_ms,
	                                               .text = slice_dup(text),
	                                               .len = text.len};
}

void recent_count(struct recent *r, uint64_t key, struct slice text, int64_t wall_ms)
{
	uint64_t what = hash_bytes(text.data, text.len);

	if (!recent_again(r, key, what, wall_ms))
		recent_add(r, key, what, text, wall_ms);
}
