/* The table of sessions that are kept: what their queues hold.  Changes of a transaction are taken
 * back with it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "store/keeper.h"

static struct kept_session *find_any(const struct keeper *k, uint64_t id)
{
	void **at = table_find(&k->sessions, hash_id(id), NULL, NULL);

	return at == NULL ? NULL : *at;
}

struct kept_session *sessions_find(struct keeper *k, uint64_t id)
{
	struct kept_session *s = find_any(k, id);

	return s != NULL && s->now.exists ? s : NULL;
}

struct kept_session *sessions_touch(struct keeper *k, uint64_t id)
{
	struct kept_session *s = find_any(k, id);

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

static void end_touch(struct keeper *k, bool committed)
{
	struct kept_session *s = k->touched;

	k->touched = NULL;
	while (s != NULL) {
		struct kept_session *next = s->next_touched;

		s->touched = false;
		if (!committed)
			s->now = s->before;
		if (!s->now.exists) {
			table_remove(&k->sessions, hash_id(s->id), s);
			free(s);
		}
		s = next;
	}
}

void sessions_settle(struct keeper *k)
{
	end_touch(k, true);
}

void sessions_take_back(struct keeper *k)
{
	end_touch(k, false);
}

void sessions_fini(struct keeper *k)
{
	struct table_walk walk = table_walk_of(&k->sessions);
	struct kept_session *s;

	while ((s = table_walk_next(&walk)) != NULL)
		free(s);
	table_fini(&k->sessions);
}
