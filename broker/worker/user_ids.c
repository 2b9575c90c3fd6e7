/* Rows sorted by id and name: they come in this order from the store. */
#include "worker/user_ids.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"

struct user_ids {
	_Atomic uint32_t refs;
	struct user_id *rows;
	size_t count, cap;
};

struct user_ids *user_ids_new(void)
{
	struct user_ids *ids = xnew(ids);

	ids->refs = 1;
	return ids;
}

struct user_ids *user_ids_ref(struct user_ids *ids)
{
	REQUIRE(ids->refs > 0);
	ids->refs++;
	return ids;
}

void user_ids_unref(struct user_ids **ref)
{
	struct user_ids *ids = *ref;

	*ref = NULL;
	if (ids == NULL || --ids->refs > 0)
		return;
	for (size_t i = 0; i < ids->count; i++)
		free((void *)(uintptr_t)ids->rows[i].name.data);
	free(ids->rows);
	free(ids);
}

/* --- rows --- */

static int compare(const struct user_id *row, uint64_t id, struct slice name)
{
	if (row->id != id)
		return row->id < id ? -1 : 1;
	return slice_compare(row->name, name);
}

/* Where it is, or would be. */
static size_t place_of(const struct user_ids *ids, uint64_t id, struct slice name)
{
	size_t low = 0, high = ids->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&ids->rows[middle], id, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void user_ids_put(struct user_ids *ids, const struct user_id *row)
{
	size_t at = place_of(ids, row->id, row->name);
	struct slice name;

	REQUIRE(ids->refs == 1);
	if (at < ids->count && compare(&ids->rows[at], row->id, row->name) == 0) {
		name = ids->rows[at].name;
	} else {
		array_reserve(ids->rows, ids->cap, ids->count + 1);
		memmove(ids->rows + at + 1, ids->rows + at, (ids->count - at) * sizeof(*ids->rows));
		ids->count++;
		name = slice_of(slice_dup(row->name), row->name.len);
	}
	ids->rows[at] = *row;
	ids->rows[at].name = name;
}

size_t user_ids_count(const struct user_ids *ids)
{
	return ids->count;
}

const struct user_id *user_ids_at(const struct user_ids *ids, size_t index)
{
	REQUIRE(index < ids->count);
	return &ids->rows[index];
}

const struct user_id *user_ids_find(const struct user_ids *ids, uint64_t id, struct slice name)
{
	size_t at;

	if (ids == NULL)
		return NULL;
	at = place_of(ids, id, name);
	return at < ids->count && compare(&ids->rows[at], id, name) == 0 ? &ids->rows[at] : NULL;
}

const struct user_id *user_ids_find_key(const struct user_ids *ids, struct slice user_key)
{
	uint64_t id = identity_key_entry_id(user_key);

	return id == 0 ? NULL : user_ids_find(ids, id, identity_key_name(user_key));
}

struct identity *user_ids_identity(const struct user_id *row)
{
	return identity_new(IDENTITY_PASSWORD, row->name, row->id, 0);
}

struct identity *user_ids_merged_into(const struct user_id *row)
{
	REQUIRE(row->state == USER_ID_MERGED);
	return identity_new(IDENTITY_PASSWORD, row->name, row->merged_into, 0);
}

/* --- a new source --- */

/* The row that the source brings back: set aside, and now in the source again. */
static const struct user_id *restored_of(const struct user_ids *before, struct slice name,
                                         const struct identity_entry *now)
{
	const struct user_id *row = user_ids_find(before, now->id, name);

	return row != NULL && row->state == USER_ID_SET_ASIDE ? row : NULL;
}

/* Is the first of its name set aside already? */
static bool is_first_taken(const struct user_ids *before, struct slice name)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct user_id *row = &before->rows[i];

		if (row->state == USER_ID_SET_ASIDE && !row->has_limit &&
		    slice_equal(row->name, name))
			return true;
	}
	return false;
}

/* Later than all of its name that are set aside already: their times say in which order they came,
 * also of two within one millisecond. */
static uint64_t time_after_others(const struct user_ids *before, struct slice name, uint64_t now_ms)
{
	uint64_t after = now_ms;

	for (size_t i = 0; i < before->count; i++) {
		const struct user_id *row = &before->rows[i];

		/* mutant: user_ids_in_one_millisecond */
		if (row->state == USER_ID_SET_ASIDE && row->since_ms >= after &&
		    slice_equal(row->name, name))
			after = row->since_ms + 1;
	}
	return after;
}

static void merge(struct user_id *row, uint64_t into)
{
	row->state = USER_ID_MERGED;
	row->merged_into = into;
	row->has_limit = false;
}

/* The name has another id now. */
static void lose_id(const struct user_ids *before, struct user_id *row,
                    const struct identity_entry *now, uint64_t now_ms)
{
	const struct user_id *restored = restored_of(before, row->name, now);

	switch (row->state) {
	case USER_ID_PRESENT:
		if (restored != NULL) {
			merge(row, now->id);
			return;
		}
		row->state = USER_ID_SET_ASIDE;
		row->since_ms = time_after_others(before, row->name, now_ms);
		/* mutant: user_ids_only_first_stays */
		row->has_limit = is_first_taken(before, row->name);
		return;
	case USER_ID_SET_ASIDE:
		/* Those that came after it. */
		if (restored != NULL && row->since_ms >= restored->since_ms)
			merge(row, now->id);
		return;
	case USER_ID_MERGED:
		if (restored != NULL)
			row->merged_into = now->id;
		return;
	case USER_ID_DELETED:
	case USER_ID_STATES:
		return;
	}
}

/* The row in `next`, where there is still one. */
static void carry_over(const struct user_ids *before, const struct identity_source *source,
                       uint64_t now_ms, const struct user_id *old, struct user_ids *next)
{
	struct user_id row = *old;
	struct identity_entry now;

	if (!identity_source_find(source, row.name, &now)) {
		/* mutant: user_ids_removed_are_forgotten */
		if (row.state == USER_ID_DELETED)
			user_ids_put(next, &row);
		return;
	}
	if (now.id == row.id)
		row = (struct user_id){.id = row.id, .name = row.name};
	else
		lose_id(before, &row, &now, now_ms);
	user_ids_put(next, &row);
}

struct user_ids *user_ids_next(const struct user_ids *before, const struct identity_source *source,
                               uint64_t now_ms)
{
	struct user_ids *next = user_ids_new();

	for (size_t i = 0; i < before->count; i++) {
		if (identity_source_exists(source))
			carry_over(before, source, now_ms, &before->rows[i], next);
		else /* nobody was removed: everybody exists */
			user_ids_put(next, &before->rows[i]);
	}
	for (size_t i = 0; i < identity_source_count(source); i++) {
		struct identity_entry entry;
		struct user_id row;

		identity_source_at(source, i, &entry);
		row = (struct user_id){.id = entry.id, .name = slice_of_str(entry.name)};
		if (row.id != 0)
			user_ids_put(next, &row);
	}
	return next;
}

/* --- the end of what is set aside --- */

static bool has_ended(const struct user_id *row, bool all, uint64_t now_ms)
{
	return row->state == USER_ID_SET_ASIDE &&
	       (all || (row->has_limit && now_ms >= row->since_ms + USER_IDS_SET_ASIDE_MS));
}

struct user_ids *user_ids_delete(const struct user_ids *before, bool all, uint64_t now_ms)
{
	struct user_ids *next = user_ids_new();

	for (size_t i = 0; i < before->count; i++) {
		struct user_id row = before->rows[i];
		const struct user_id *whole = row.state == USER_ID_MERGED
		                                  ? user_ids_find(before, row.merged_into, row.name)
		                                  : &row;

		if (whole != NULL && has_ended(whole, all, now_ms))
			row.state = USER_ID_DELETED;
		user_ids_put(next, &row);
	}
	return next;
}

struct user_ids *user_ids_without(const struct user_ids *before, user_ids_drop_fn *drops, void *arg)
{
	struct user_ids *next = user_ids_new();

	for (size_t i = 0; i < before->count; i++) {
		if (!drops(arg, &before->rows[i]))
			user_ids_put(next, &before->rows[i]);
	}
	return next;
}

uint64_t user_ids_next_limit(const struct user_ids *ids)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < ids->count; i++) {
		const struct user_id *row = &ids->rows[i];

		if (row->state == USER_ID_SET_ASIDE && row->has_limit &&
		    row->since_ms + USER_IDS_SET_ASIDE_MS < next)
			next = row->since_ms + USER_IDS_SET_ASIDE_MS;
	}
	return next;
}

size_t user_ids_count_state(const struct user_ids *ids, enum user_id_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < ids->count; i++)
		count += ids->rows[i].state == state;
	return count;
}

/* --- two of them --- */

static bool equal(const struct user_id *a, const struct user_id *b)
{
	return a->state == b->state && a->has_limit == b->has_limit && a->since_ms == b->since_ms &&
	       a->merged_into == b->merged_into;
}

void user_ids_diff(const struct user_ids *before, const struct user_ids *after,
                   user_ids_diff_fn *fn, void *arg)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct user_id *row = &before->rows[i];

		if (user_ids_find(after, row->id, row->name) == NULL)
			fn(arg, row, true);
	}
	for (size_t i = 0; i < after->count; i++) {
		const struct user_id *row = &after->rows[i];
		const struct user_id *old = user_ids_find(before, row->id, row->name);

		if (old == NULL || !equal(old, row))
			fn(arg, row, false);
	}
}

bool user_ids_may_write(const struct user_ids *ids, const struct identity_source *source,
                        struct slice name, struct slice user_key)
{
	const struct user_id *row;
	struct identity *now;
	bool may;

	if (identity_source_may_write(source, name, user_key))
		return true;
	row = user_ids_find_key(ids, user_key);
	if (row == NULL || row->state != USER_ID_MERGED)
		return false;
	now = user_ids_merged_into(row);
	may = identity_source_may_write(source, name, now->key);
	identity_unref(&now);
	return may;
}
