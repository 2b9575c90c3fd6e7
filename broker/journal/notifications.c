/* See notifications.h. */
#include "journal/notifications.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "journal/journal_group.h"
#include "journal/journal_ops.h"

struct notification {
	struct journal_group *group;
	size_t index;
};

/* A task: a part of what goes to one executor. */
#define NOTIFICATIONS_MAX 256

struct notifications {
	struct task task;           /* first */
	struct notifications *next; /* another executor's */
	struct notifications *more; /* to the same executor, after these */
	struct notifications *last; /* of the first: where more go */
	struct executor *executor;
	const struct journal *j;
	struct notification items[NOTIFICATIONS_MAX];
	size_t count, done;
};

/* The first that is left is done with. */
static void leave_first(struct notifications *n)
{
	struct journal_group *g = n->items[n->done++].group;

	if (n->done == n->count || n->items[n->done].group != g)
		journal_group_release(g);
}

bool notifications_next(struct notifications *n, void *executor_arg)
{
	const struct notification *first = &n->items[n->done];
	const struct group_entry *e = &first->group->entries[first->index];

	REQUIRE(n->done < n->count && !n->task.in_flight);
	n->j->queued(executor_arg, &e->record, e->outcome);
	leave_first(n);
	if (n->done < n->count)
		return true;
	free(n);
	return false;
}

void notifications_free(struct notifications *n)
{
	while (n->done < n->count)
		leave_first(n);
	free(n);
}

static void on_notifications(struct task *task, void *executor_arg)
{
	struct notifications *n = (struct notifications *)task;

	if (n->j->notified != NULL) {
		n->j->notified(executor_arg, n);
		return;
	}
	while (notifications_next(n, executor_arg))
		;
}

static struct notifications *make_notifications(const struct journal *j, struct executor *executor)
{
	struct notifications *n = xnew(n);

	n->task.run = on_notifications;
	n->executor = executor;
	n->j = j;
	n->last = n;
	return n;
}

static struct notifications *find_or_make(struct notifications **list, struct journal *j,
                                          struct executor *executor)
{
	struct notifications *n;

	LL_SEARCH_SCALAR(*list, n, executor, executor);
	if (n != NULL)
		return n;
	n = make_notifications(j, executor);
	LL_PREPEND(*list, n);
	return n;
}

/* What goes to one executor of one group is contiguous, and is one use in each task. */
static void add_notification(struct notifications *first, const struct journal *j,
                             struct journal_group *g, size_t index)
{
	struct notifications *n = first->last;

	if (n->count == NOTIFICATIONS_MAX)
		n = first->last = n->more = make_notifications(j, first->executor);
	if (n->count == 0 || n->items[n->count - 1].group != g)
		atomic_fetch_add(&g->uses, 1);
	n->items[n->count++] = (struct notification){.group = g, .index = index};
}

void notifications_add(struct notifications **list, struct journal *j, struct journal_group *g)
{
	if (g->queued == 0 || j->queued == NULL || g->urgency != JOURNAL_NOW)
		return;
	for (size_t i = 0; i < g->count; i++) {
		const struct record *r = &g->entries[i].record;

		if (r->kind == RECORD_QUEUE && r->executor != NULL)
			add_notification(find_or_make(list, j, r->executor), j, g, i);
	}
}

void notifications_send(struct notifications **list)
{
	struct notifications *first, *next, *n, *more;

	LL_FOREACH_SAFE (*list, first, next) {
		LL_FOREACH_SAFE2 (first, n, more, more) {
			executor_send(n->executor, &n->task);
		}
	}
	*list = NULL;
}
