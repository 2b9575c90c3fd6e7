/* See held_journal.h.  It gives positions and notifies of queue records as the one on disk does; it
 * has no pages. */
#include "support/held_journal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "journal/journal_group.h"
#include "journal/journal_memory.h"
#include "journal/journal_ops.h"

struct held {
	struct journal j;             /* first */
	struct journal_group *groups; /* under the lock, oldest first */
	_Atomic size_t count;
};

static void held_append(struct journal *j, struct journal_group *g, uint64_t *first_position)
{
	struct held *h = (struct held *)j;

	mutex_lock(&j->lock);
	journal_group_number(g, j, first_position);
	DL_APPEND(h->groups, g);
	h->count++;
	mutex_unlock(&j->lock);
}

static void held_free(struct journal *j)
{
	struct held *h = (struct held *)j;
	struct journal_group *g, *next;

	DL_FOREACH_SAFE (h->groups, g, next) {
		journal_group_free(g);
	}
	journal_fini(j);
	free(h);
}

static const struct journal_kind held_kind = {
    .durable = true,
    .append = held_append,
    .read = journal_memory_read,
    .free = held_free,
};

struct journal *journal_held_new(void)
{
	struct held *h = xnew(h);

	journal_init(&h->j, &held_kind, (struct store_time){0});
	return &h->j;
}

size_t journal_held_count(const struct journal *j)
{
	const struct held *h = (const struct held *)j;

	REQUIRE(j->kind == &held_kind);
	return h->count;
}

void journal_held_release(struct journal *j, size_t index, int status)
{
	struct held *h = (struct held *)j;
	struct journal_group *g;

	mutex_lock(&j->lock);
	REQUIRE(index < h->count);
	for (g = h->groups; index > 0; index--)
		g = g->next;
	DL_DELETE(h->groups, g);
	h->count--;
	mutex_unlock(&j->lock);
	journal_memory_settle(j, g, status);
}
