/* The rows come table by table: sessions before queues, and users after both. */
#include "durability/user_inventory.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "durability/record_codec.h"
#include "store/row.h"
#include "store/store_rows.h"

/* Somebody of whom the store has something. */
struct owner_count {
	UT_hash_handle hh;
	uint64_t sessions, messages, retained;
	uint64_t last_number; /* of the retained values */
	size_t key_len;
	uint8_t key[];
};

struct counted_session {
	UT_hash_handle hh;
	uint64_t id;
	struct owner_count *owner;
};

struct user_inventory {
	struct owner_count *owners;
	struct counted_session *sessions;
	struct user_ids *stored, *ids;
	struct user_inventory_row *rows;
	size_t count, cap;
};

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */
static struct owner_count *find_owner(const struct user_inventory *v, struct slice key)
{
	struct owner_count *owner;

	HASH_FIND(hh, v->owners, key.data, key.len, owner);
	return owner;
}

static struct owner_count *make_owner(struct user_inventory *v, struct slice key)
{
	struct owner_count *owner = find_owner(v, key);

	if (owner != NULL)
		return owner;
	owner = xcalloc(1, sizeof(*owner) + key.len);
	owner->key_len = key.len;
	memcpy(owner->key, key.data, key.len);
	HASH_ADD_KEYPTR(hh, v->owners, owner->key, owner->key_len, owner);
	return owner;
}

static struct counted_session *find_session(const struct user_inventory *v, uint64_t id)
{
	struct counted_session *s;

	HASH_FIND(hh, v->sessions, &id, sizeof(id), s);
	return s;
}

static void add_session(struct user_inventory *v, uint64_t id, struct owner_count *owner)
{
	struct counted_session *s = xnew(s);

	s->id = id;
	s->owner = owner;
	HASH_ADD(hh, v->sessions, id, sizeof(s->id), s);
}

static void free_counts(struct user_inventory *v)
{
	struct counted_session *s = v->sessions;
	struct owner_count *owner = v->owners;

	HASH_CLEAR(hh, v->sessions);
	HASH_CLEAR(hh, v->owners);
	while (s != NULL) {
		struct counted_session *next = s->hh.next;

		free(s);
		s = next;
	}
	while (owner != NULL) {
		struct owner_count *next = owner->hh.next;

		free(owner);
		owner = next;
	}
}
/* NOLINTEND(readability-function-size) */

/* --- rows --- */

static void take_session(struct user_inventory *v, struct slice key, struct slice value)
{
	struct session_record record;
	struct identity *user;
	uint64_t id;

	if (!row_key_read_id(key, &id) || !record_read_session(value, &record) ||
	    record.removed_since_ms != 0 || record.user.entry_id == 0)
		return;
	user = identity_new(record.user.kind, record.user.name, record.user.entry_id, 0);
	add_session(v, id, make_owner(v, user->key));
	find_session(v, id)->owner->sessions++;
	identity_unref(&user);
}

static void take_queued(struct user_inventory *v, struct slice key)
{
	struct counted_session *s;
	uint64_t id, position;

	if (row_key_read_pair(key, &id, &position) && (s = find_session(v, id)) != NULL)
		s->owner->messages++;
}

static void take_retained(struct user_inventory *v, struct slice value)
{
	struct row_retained row;
	struct owner_count *owner;

	if (!row_read_retained(value, &row) || !row.has_msg || !row.msg.has_origin ||
	    identity_key_entry_id(row.msg.user_key) == 0)
		return;
	owner = make_owner(v, row.msg.user_key);
	owner->retained++;
	if (row.number > owner->last_number)
		owner->last_number = row.number;
}

static void take_user(struct user_inventory *v, struct slice value)
{
	struct user_id_record record;

	if (record_read_user_id(value, &record))
		user_ids_put(v->stored, &(struct user_id){.id = record.id,
		                                          .state = (enum user_id_state)record.state,
		                                          .has_limit = record.has_limit,
		                                          .since_ms = record.since_ms,
		                                          .merged_into = record.merged_into,
		                                          .name = record.name});
}

static void on_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	struct user_inventory *v = arg;

	if (table == TABLE_SESSION)
		take_session(v, key, value);
	else if (table == TABLE_QUEUE)
		take_queued(v, key);
	else if (table == TABLE_RETAINED)
		take_retained(v, value);
	else if (table == TABLE_USER)
		take_user(v, value);
}

/* --- what follows --- */

static bool is_newest(const struct user_inventory *v, const struct owner_count *owner)
{
	struct slice name = identity_key_name(slice_of(owner->key, owner->key_len));

	for (const struct owner_count *o = v->owners; o != NULL; o = o->hh.next) {
		if (o->last_number > owner->last_number &&
		    slice_equal(identity_key_name(slice_of(o->key, o->key_len)), name))
			return false;
	}
	return true;
}

/* A store of an older format has no rows of users: as a start reads it (server/restore.c). */
static void fill_users(struct user_inventory *v)
{
	for (const struct owner_count *o = v->owners; o != NULL; o = o->hh.next) {
		struct slice key = slice_of(o->key, o->key_len);

		if (o->sessions > 0 || is_newest(v, o))
			user_ids_put(v->stored, &(struct user_id){.id = identity_key_entry_id(key),
			                                          .name = identity_key_name(key)});
	}
}

static void add_row(struct user_inventory *v, const struct user_id *user)
{
	struct identity *identity = user_ids_identity(user);
	const struct owner_count *owner = find_owner(v, identity->key);

	identity_unref(&identity);
	if (owner == NULL)
		return;
	array_reserve(v->rows, v->cap, v->count + 1);
	v->rows[v->count++] = (struct user_inventory_row){.user = user,
	                                                  .sessions = owner->sessions,
	                                                  .messages = owner->messages,
	                                                  .retained = owner->retained};
}

struct user_inventory *user_inventory_read(const char *directory,
                                           const struct identity_source *source,
                                           char text[STORE_ERROR_TEXT])
{
	struct user_inventory *v = xnew(v);

	v->stored = user_ids_new();
	if (store_rows_read(directory, on_row, v, text) != 0) {
		user_inventory_free(v);
		return NULL;
	}
	if (user_ids_count(v->stored) == 0)
		fill_users(v);
	v->ids = user_ids_next(v->stored, source, UINT64_MAX);
	for (size_t i = 0; i < user_ids_count(v->ids); i++) {
		if (user_ids_at(v->ids, i)->state == USER_ID_SET_ASIDE)
			add_row(v, user_ids_at(v->ids, i));
	}
	return v;
}

void user_inventory_free(struct user_inventory *v)
{
	if (v == NULL)
		return;
	free_counts(v);
	user_ids_unref(&v->stored);
	user_ids_unref(&v->ids);
	free(v->rows);
	free(v);
}

size_t user_inventory_count(const struct user_inventory *v)
{
	return v->count;
}

const struct user_inventory_row *user_inventory_at(const struct user_inventory *v, size_t index)
{
	return &v->rows[index];
}
