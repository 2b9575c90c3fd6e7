/* Each change of what is known of ids is one group of the journal, appended before any worker
 * changes a session for it. */
#include "server/set_aside.h"

#include "admin/stats.h"
#include "base/crypto.h"
#include "base/log.h"
#include "durability/record_codec.h"
#include "journal/journal_group.h"
#include "tree/topic_owners.h"
#include "worker/worker.h"

#define NODES_AT_ONCE 4096

/* --- rows --- */

static uint64_t name_hash(struct slice name)
{
	uint8_t digest[32];
	struct reader r;

	crypto_sha256(name, digest);
	r = reader_of(slice_of(digest, sizeof(digest)));
	return read_u64(&r);
}

static void add_record(void *arg, const struct user_id *row, bool is_gone)
{
	struct user_id_record value = {.name = row->name,
	                               .id = row->id,
	                               .state = (uint16_t)row->state,
	                               .has_limit = row->has_limit,
	                               .since_ms = row->since_ms,
	                               .merged_into = row->merged_into};
	struct record record = {
	    .kind = RECORD_USER, .session_id = row->id, .number = name_hash(row->name)};
	struct buf bytes = {0};

	if (!is_gone)
		record_put_user_id(&bytes, &value);
	record.value = buf_slice(&bytes);
	journal_group_add(arg, &record);
	buf_fini(&bytes);
}

/* Takes over `next`. */
static void put(struct shared *shared, struct executor *executor, struct user_ids *next)
{
	struct journal_group *group = journal_group_new(NULL, NULL);

	/* mutant: user_ids_are_written */
	user_ids_diff(shared->user_ids, next, add_record, group);
	if (journal_group_count(group) > 0 && journal_is_durable(shared->journal))
		journal_append(shared->journal, executor, &group, JOURNAL_NOW, NULL);
	else
		journal_group_free(group);
	user_ids_unref(&shared->user_ids);
	shared->user_ids = next;
	shared->set_aside_users = user_ids_count_state(next, USER_ID_SET_ASIDE);
}

bool set_aside_load(struct shared *shared, struct slice value)
{
	struct user_id_record record;
	struct user_id row;

	if (!record_read_user_id(value, &record))
		return false;
	row = (struct user_id){.id = record.id,
	                       .state = (enum user_id_state)record.state,
	                       .has_limit = record.has_limit,
	                       .since_ms = record.since_ms,
	                       .merged_into = record.merged_into,
	                       .name = record.name};
	user_ids_put(shared->user_ids, &row);
	return true;
}

void set_aside_load_user(struct shared *shared, uint64_t id, struct slice name)
{
	/* Not as the store has it: so it is written, if it stays. */
	struct user_id row = {.id = id, .name = name, .since_ms = 1};

	if (id != 0 && user_ids_find(shared->user_ids, id, name) == NULL)
		user_ids_put(shared->user_ids, &row);
}

/* --- a new source --- */

static uint64_t store_time(const struct shared *shared, const struct executor *executor)
{
	return journal_time_ms(shared->journal, executor->now_ms);
}

static void bring_back_owner(void *arg, const struct user_id *row, bool is_gone)
{
	struct shared *shared = arg;
	const struct user_id *before = user_ids_find(shared->user_ids, row->id, row->name);
	struct identity *user;

	if (is_gone || before == NULL || before->state == row->state ||
	    row->state != USER_ID_PRESENT)
		return;
	shared->restored_users += before->state == USER_ID_SET_ASIDE;
	user = user_ids_identity(row);
	retain_set_aside_owner(shared->retain, user->key, false);
	identity_unref(&user);
}

void set_aside_begin(struct shared *shared, struct executor *executor,
                     struct config_snapshot *snapshot)
{
	struct user_ids *next;

	REQUIRE_EXECUTOR(executor);
	if (snapshot->user_ids != NULL)
		return;
	next = user_ids_next(shared->user_ids, snapshot->identities, store_time(shared, executor));
	user_ids_diff(shared->user_ids, next, bring_back_owner, shared);
	put(shared, executor, next);
	snapshot->user_ids = user_ids_ref(next);
}

static bool owns_nothing(void *arg, const struct user_id *row)
{
	struct shared *shared = arg;
	struct identity *user;
	bool nothing;

	if (row->state == USER_ID_PRESENT || row->state == USER_ID_DELETED)
		return false;
	user = user_ids_identity(row);
	nothing = shared_session_count(shared, user->key) == 0 &&
	          !retain_knows_owner(shared->retain, user->key);
	identity_unref(&user);
	return nothing;
}

static void settle_owner(struct shared *shared, const struct user_id *row)
{
	struct identity *user = user_ids_identity(row), *into;

	switch (row->state) {
	case USER_ID_SET_ASIDE:
		/* mutant: set_aside_topics_are_free */
		retain_set_aside_owner(shared->retain, user->key, true);
		break;
	case USER_ID_MERGED:
		into = user_ids_merged_into(row);
		retain_merge_owner(shared->retain, user->key, into->key);
		identity_unref(&into);
		break;
	case USER_ID_PRESENT:
	case USER_ID_DELETED:
	case USER_ID_STATES:
		break;
	}
	identity_unref(&user);
}

void set_aside_finish(struct shared *shared, struct executor *executor)
{
	for (size_t i = 0; i < user_ids_count(shared->user_ids); i++)
		settle_owner(shared, user_ids_at(shared->user_ids, i));
	put(shared, executor, user_ids_without(shared->user_ids, owns_nothing, shared));
}

bool set_aside_has(const struct shared *shared, struct slice user_key)
{
	const struct user_id *row = user_ids_find_key(shared->user_ids, user_key);

	return row != NULL && row->state != USER_ID_PRESENT;
}

/* --- the end of what is set aside --- */

bool set_aside_delete(struct shared *shared, struct executor *executor, bool all)
{
	uint64_t now_ms = store_time(shared, executor);
	bool some =
	    all ? shared->set_aside_users > 0 : user_ids_next_limit(shared->user_ids) <= now_ms;

	if (some)
		put(shared, executor, user_ids_delete(shared->user_ids, all, now_ms));
	return some;
}

/* Whoever owns the topic meanwhile goes on owning it. */
static void delete_current(struct shared *shared, struct executor *executor,
                           struct retain_change *change, struct slice topic)
{
	struct journal_group *group = journal_group_new(NULL, NULL);
	struct record record = {.kind = RECORD_RETAINED, .name = topic};
	struct retained_record retained = {.owner = change->owner};
	struct buf value = {0};

	retain_delete(change, executor->now_ms);
	if (change->owner.len == 0) {
		retain_own(change, SLICE_EMPTY);
	} else {
		retained.owned_until_ms =
		    journal_time_ms(shared->journal, executor->now_ms + TOPIC_OWNERS_RETENTION_MS);
		record_put_retained(&value, &retained);
	}
	record.number = change->number;
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	journal_append(shared->journal, executor, &group, JOURNAL_NEXT, NULL);
	buf_fini(&value);
}

/* The topic's value, if it is still the one of this user. */
static bool delete_value(struct shared *shared, struct executor *executor, const struct msg *msg)
{
	struct retain_change change;
	bool same;

	retain_begin(shared->retain, executor->index, msg_topic(msg), executor->now_ms, &change);
	same = change.current != NULL && change.current->origin != NULL &&
	       slice_equal(change.current->origin->user_key, msg->origin->user_key);
	if (same)
		delete_current(shared, executor, &change, msg_topic(msg));
	retain_end(&change);
	return same;
}

static struct identity *next_deleted(const struct shared *shared)
{
	for (size_t i = 0; i < user_ids_count(shared->user_ids); i++) {
		const struct user_id *row = user_ids_at(shared->user_ids, i);

		if (row->state == USER_ID_DELETED)
			return user_ids_identity(row);
	}
	return NULL;
}

static bool is_user(void *arg, const struct user_id *row)
{
	const struct identity *user = arg;

	return row->id == user->entry_id && slice_equal(row->name, user->name) &&
	       row->state == USER_ID_DELETED;
}

bool set_aside_delete_values(struct shared *shared, struct executor *executor,
                             struct set_aside_deletion *d)
{
	struct msg *values[NODES_AT_ONCE];
	size_t count;

	if (d->user == NULL)
		d->user = next_deleted(shared);
	if (d->user == NULL)
		return false;
	count = retain_find_written(shared->retain, d->user->key, &d->at, NODES_AT_ONCE, values);
	for (size_t i = 0; i < count; i++) {
		d->deleted += delete_value(shared, executor, values[i]);
		msg_unref(&values[i]);
	}
	if (d->at == 0 && retain_count_written(shared->retain, d->user->key) == 0) {
		retain_release_owner(shared->retain, d->user->key);
		put(shared, executor, user_ids_without(shared->user_ids, is_user, d->user));
		identity_unref(&d->user);
	}
	return true;
}

void set_aside_deletion_fini(struct set_aside_deletion *d)
{
	identity_unref(&d->user);
}

uint64_t set_aside_next_limit_ms(const struct shared *shared, const struct executor *executor)
{
	uint64_t limit = user_ids_next_limit(shared->user_ids);
	uint64_t now = store_time(shared, executor);

	if (limit == UINT64_MAX)
		return UINT64_MAX;
	return limit > now ? limit - now : 0;
}

/* --- the log --- */

void set_aside_log(struct shared *shared)
{
	struct stats stats;

	if (shared->set_aside_users == 0)
		return;
	stats_take(shared, &stats);
	LOG(USERS_SET_ASIDE, .users = stats.set_aside_users, .sessions = stats.set_aside_sessions,
	    .retained = stats.set_aside_retained, .messages = stats.set_aside_messages,
	    .remedy = SET_ASIDE_REMEDY);
}
