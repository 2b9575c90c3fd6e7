/* A journal that touches no disk.  It gives positions and notifies of queue records as the one on
 * disk does; it has no pages. */
#include "journal/journal_memory.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "journal/journal_group.h"
#include "journal/journal_ops.h"
#include "journal/notifications.h"

void journal_memory_settle(struct journal *j, struct journal_group *g, int status)
{
	struct notifications *notifications = NULL;

	for (size_t i = 0; i < g->count; i++)
		g->entries[i].outcome = QUEUE_STORED;
	if (status == 0)
		notifications_add(&notifications, j, g);
	notifications_send(&notifications);
	journal_group_complete(g, status);
}

void journal_memory_read(struct journal *j, struct journal_page *page)
{
	journal_page_answer_empty(page, j, 0);
}

static void memory_append(struct journal *j, struct journal_group *g, uint64_t *first_position)
{
	journal_group_number(g, j, first_position);
	journal_memory_settle(j, g, 0);
}

static void memory_free(struct journal *j)
{
	journal_fini(j);
	free(j);
}

static const struct journal_kind memory_kind = {
    .append = memory_append,
    .read = journal_memory_read,
    .free = memory_free,
};

struct journal *journal_memory_new(void)
{
	struct journal *j = xnew(j);

	journal_init(j, &memory_kind, (struct store_time){0});
	return j;
}
