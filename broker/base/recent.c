/* A list in the order of the last times, and one in that order for each bucket of keys: nothing is
 * searched for but within a bucket. */
#include "base/recent.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/require.h"

void recent_init(struct recent *r, size_t max, size_t max_per_key, size_t max_bytes)
{
	REQUIRE(max > 0 && max_per_key > 0 && max_per_key <= max && max_bytes > 0);
	*r = (struct recent){.max = max, .max_per_key = max_per_key, .max_bytes = max_bytes};
}

static struct recent_entry **bucket_of(struct recent *r, uint64_t key)
{
	return &r->buckets[key % RECENT_BUCKETS];
}

static size_t cost_of(size_t len)
{
	return sizeof(struct recent_entry) + len;
}

static void forget(struct recent *r, struct recent_entry *e)
{
	struct recent_entry **bucket;

	REQUIRE(e != NULL);
	bucket = bucket_of(r, e->key);
	REQUIRE(r->count > 0 && r->bytes >= cost_of(e->len));
	r->bytes -= cost_of(e->len);
	r->count--;
	DL_DELETE(r->entries, e);
	DL_DELETE2(*bucket, e, bucket_prev, bucket_next);
	free(e);
}

void recent_fini(struct recent *r)
{
	while (r->entries != NULL)
		forget(r, r->entries);
	REQUIRE(r->count == 0 && r->bytes == 0);
}

static void make_place(struct recent *r, uint64_t key, size_t len)
{
	struct recent_entry *e, *oldest = NULL;
	size_t count = 0;

	DL_FOREACH2(*bucket_of(r, key), e, bucket_next)
	{
		if (e->key != key)
			continue;
		count++;
		if (oldest == NULL)
			oldest = e;
	}
	/* mutant: recent_of_each_key */
	if (count >= r->max_per_key)
		forget(r, oldest);
	while (r->count > 0 && (r->count >= r->max || r->bytes + cost_of(len) > r->max_bytes))
		forget(r, r->entries);
}

bool recent_again(struct recent *r, uint64_t key, uint64_t what, int64_t wall_ms)
{
	struct recent_entry **bucket = bucket_of(r, key), *e;

	REQUIRE(r->max > 0);
	DL_FOREACH2(*bucket, e, bucket_next)
	{
		if (e->key == key && e->what == what)
			break;
	}
	if (e == NULL)
		return false;
	e->count++;
	e->last_ms = wall_ms;
	e->number = ++r->last_number;
	DL_DELETE(r->entries, e);
	DL_APPEND(r->entries, e);
	DL_DELETE2(*bucket, e, bucket_prev, bucket_next);
	DL_APPEND2(*bucket, e, bucket_prev, bucket_next);
	return true;
}

void recent_add(struct recent *r, uint64_t key, uint64_t what, struct slice text, int64_t wall_ms)
{
	struct recent_entry **bucket = bucket_of(r, key), *e;

	REQUIRE(r->max > 0);
	if (cost_of(text.len) > r->max_bytes)
		return;
	make_place(r, key, text.len);
	e = xalloc(cost_of(text.len));
	*e = (struct recent_entry){.key = key,
	                           .what = what,
	                           .number = ++r->last_number,
	                           .count = 1,
	                           .first_ms = wall_ms,
	                           .last_ms = wall_ms,
	                           .len = text.len};
	memcpy(e->text, text.data, text.len);
	r->bytes += cost_of(text.len);
	r->count++;
	DL_APPEND(r->entries, e);
	DL_APPEND2(*bucket, e, bucket_prev, bucket_next);
}

void recent_count(struct recent *r, uint64_t key, struct slice text, int64_t wall_ms)
{
	uint64_t what = hash_bytes(text.data, text.len);

	if (!recent_again(r, key, what, wall_ms))
		recent_add(r, key, what, text, wall_ms);
}
