/* The table of sessions that are kept: what their queues hold.  Changes of a transaction are taken
 * back with it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "journal/writer.h"

static struct queue_owner *find_any(const struct writer *k, uint64_t id)
{
	void **at = table_find(&k->sessions, hash_id(id), NULL, NULL);

	return at == NULL ? NULL : *at;
}

struct queue_owner *sessions_find(const struct writer *k, uint64_t id)
{
	struct queue_owner *s = find_any(k, id);

	return s != NULL && s->now.exists ? s : NULL;
}

struct queue_owner *sessions_touch(struct writer *k, uint64_t id)
{
	struct queue_owner *s = find_any(k, id);

	if (s == NULL) {
		s = xnew(s);
		s->id = id;
		table_add(&k->sessions, hash_id(id), s);
	}
	if (!s->touched) {
		s->touched = true;
		s->before = s->now;
		s->next_touched = k->touched;
		k->touched = s;
	}
	return s;
}

void sessions_find_owner(struct writer *k, struct queue_owner *s, struct slice value)
{
	const struct journal_owners *owners = &k->j.owners;

	if (s->owner == NULL && owners->find != NULL)
		s->owner = owners->find(owners->arg, value);
	sessions_charge(k, s);
}

void sessions_charge(struct writer *k, struct queue_owner *s)
{
	if (s->owner == NULL || s->charged == s->now.bytes)
		return;
	k->j.owners.add(s->owner, s->now.bytes - s->charged);
	s->charged = s->now.bytes;
}

bool sessions_owner_admits(const struct writer *k, const struct queue_owner *s, uint64_t bytes)
{
	const struct journal_owners *owners = &k->j.owners;
	uint64_t used = k->j.used_bytes + k->written_bytes + k->queued_bytes;

	return s->owner == NULL ||
	       owners->admits(owners->arg, s->owner, used, k->j.max_bytes, bytes);
}

static void session_free(struct writer *k, struct queue_owner *s)
{
	s->now.bytes = 0;
	sessions_charge(k, s);
	if (s->owner != NULL)
		k->j.owners.drop(k->j.owners.arg, s->owner);
	free(s);
}

static void end_touch(struct writer *k, bool committed)
{
	struct queue_owner *s = k->touched;

	k->touched = NULL;
	while (s != NULL) {
		struct queue_owner *next = s->next_touched;

		s->touched = false;
		if (!committed)
			s->now = s->before;
		sessions_charge(k, s);
		if (!s->now.exists) {
			table_remove(&k->sessions, hash_id(s->id), s);
			session_free(k, s);
		}
		s = next;
	}
}

void sessions_settle(struct writer *k)
{
	end_touch(k, true);
}

void sessions_take_back(struct writer *k)
{
	end_touch(k, false);
}

void sessions_fini(struct writer *k)
{
	struct table_walk walk = table_walk_of(&k->sessions);
	struct queue_owner *s;

	while ((s = table_walk_next(&walk)) != NULL)
		session_free(k, s);
	table_fini(&k->sessions);
}
