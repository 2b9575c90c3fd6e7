/* The table of the sessions in the store. */
#include "journal/queue_state.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"

static struct queue_owner *find_any(const struct writer *w, uint64_t id)
{
	void **at = table_find(&w->sessions, hash_id(id), NULL, NULL);

	return at == NULL ? NULL : *at;
}

struct queue_owner *queue_state_find(const struct writer *w, uint64_t id)
{
	struct queue_owner *s = find_any(w, id);

	return s != NULL && s->now.exists ? s : NULL;
}

struct queue_owner *queue_state_touch(struct writer *w, uint64_t id)
{
	struct queue_owner *s = find_any(w, id);

	REQUIRE_WRITER(w);
	if (s == NULL) {
		s = xnew(s);
		s->id = id;
		table_add(&w->sessions, hash_id(id), s);
	}
	if (!s->touched) {
		s->touched = true;
		s->before = s->now;
		LL_PREPEND(w->touched, s);
	}
	return s;
}

void queue_state_find_owner(struct writer *w, struct queue_owner *s, struct slice value)
{
	const struct journal_owners *owners = &w->j.owners;

	if (s->owner == NULL && owners->find != NULL)
		s->owner = owners->find(owners->arg, value);
	queue_state_charge(w, s);
}

void queue_state_charge(struct writer *w, struct queue_owner *s)
{
	if (s->owner == NULL || s->charged == s->now.bytes)
		return;
	w->j.owners.add(s->owner, s->now.bytes - s->charged);
	s->charged = s->now.bytes;
}

bool queue_state_owner_admits(const struct writer *w, const struct queue_owner *s, uint64_t bytes)
{
	const struct journal_owners *owners = &w->j.owners;
	uint64_t used = w->j.used_bytes + w->written_bytes + w->queued_bytes;

	return s->owner == NULL ||
	       owners->admits(owners->arg, s->owner, used, w->j.max_bytes, bytes);
}

static void session_free(struct writer *w, struct queue_owner *s)
{
	s->now.bytes = 0;
	queue_state_charge(w, s);
	if (s->owner != NULL)
		w->j.owners.drop(w->j.owners.arg, s->owner);
	free(s);
}

static void end_touch(struct writer *w, bool committed)
{
	struct queue_owner *s, *next;

	LL_FOREACH_SAFE (w->touched, s, next) {
		s->touched = false;
		if (!committed)
			s->now = s->before;
		queue_state_charge(w, s);
		REQUIRE(s->now.count > 0 || s->now.bytes == 0);
		if (!s->now.exists) {
			table_remove(&w->sessions, hash_id(s->id), s);
			session_free(w, s);
		}
	}
	w->touched = NULL;
}

void queue_state_settle(struct writer *w)
{
	REQUIRE_WRITER(w);
	end_touch(w, true);
}

void queue_state_take_back(struct writer *w)
{
	REQUIRE_WRITER(w);
	end_touch(w, false);
}

void queue_state_fini(struct writer *w)
{
	struct table_walk walk = table_walk_of(&w->sessions);
	struct queue_owner *s;

	while ((s = table_walk_next(&walk)) != NULL)
		session_free(w, s);
	table_fini(&w->sessions);
}
