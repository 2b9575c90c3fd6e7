/* Journal groups.  A completion is always a task: it never runs inside journal_append. */
#include "journal/journal_group.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "journal/journal_ops.h"
#include "journal/journal_space.h"

struct journal_group *journal_group_new(journal_done_fn *done, void *context)
{
	struct journal_group *g = xnew(g);

	g->done = done;
	g->context = context;
	g->bytes = sizeof(*g);
	atomic_init(&g->uses, 1); /* the completion's */
	return g;
}

/* Both slices in one block, to which name.data points, even where the name is empty. */
static void copy_bytes(struct record *r)
{
	uint8_t *block;

	if (r->name.len + r->value.len == 0) {
		r->name = r->value = SLICE_EMPTY;
		return;
	}
	block = xalloc(r->name.len + r->value.len);
	if (r->name.len > 0)
		memcpy(block, r->name.data, r->name.len);
	if (r->value.len > 0)
		memcpy(block + r->name.len, r->value.data, r->value.len);
	r->name = slice_of(block, r->name.len);
	r->value = slice_of(block + r->name.len, r->value.len);
}

/* A message that several records share, one after the other, costs once. */
static size_t cost_of(const struct journal_group *g, const struct record *r)
{
	size_t bytes = sizeof(struct group_entry) + r->name.len + r->value.len;
	bool again = g->count > 1 && g->entries[g->count - 2].record.msg == r->msg;

	return r->msg == NULL || again ? bytes : bytes + msg_bytes(r->msg);
}

void journal_group_add(struct journal_group *g, const struct record *record)
{
	struct group_entry *e;

	REQUIRE(g->executor == NULL); /* it is not appended yet */
	REQUIRE((unsigned)record->kind < RECORD_KINDS);
	REQUIRE(record->msg != NULL ||
	        (record->kind != RECORD_QUEUE && record->kind != RECORD_WILL));
	array_reserve(g->entries, g->cap, g->count + 1);
	e = &g->entries[g->count++];
	*e = (struct group_entry){.record = *record, .group = g};
	copy_bytes(&e->record);
	if (record->msg != NULL)
		msg_ref(record->msg);
	g->left++;
	g->queued += record->kind == RECORD_QUEUE;
	g->bytes += cost_of(g, &e->record);
}

void journal_group_await(struct journal_group *g, journal_done_fn *done, void *context)
{
	REQUIRE(g->executor == NULL); /* or it might complete before */
	g->done = done;
	g->context = context;
}

void *journal_group_context(const struct journal_group *g)
{
	return g->context;
}

size_t journal_group_count(const struct journal_group *g)
{
	return g->count;
}

size_t journal_group_bytes(const struct journal_group *g)
{
	return g->bytes;
}

const struct record *journal_group_at(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return &g->entries[i].record;
}

bool journal_group_stored(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return g->entries[i].outcome == QUEUE_STORED;
}

bool journal_group_refused(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return g->entries[i].outcome >= QUEUE_FULL;
}

void journal_group_count_waiting(struct journal_group *g, struct journal *j)
{
	REQUIRE(g->counted == NULL);
	g->counted = j;
	journal_space_add(j, g->bytes);
}

void journal_group_free(struct journal_group *g)
{
	if (g == NULL)
		return;
	REQUIRE(!g->task.in_flight);
	if (g->counted != NULL)
		journal_space_remove(g->counted, g->bytes);
	for (size_t i = 0; i < g->count; i++) {
		union {
			const uint8_t *borrowed;
			uint8_t *owned;
		} block = {.borrowed = g->entries[i].record.name.data};

		free(block.owned);
		msg_unref(&g->entries[i].record.msg);
	}
	free(g->entries);
	free(g);
}

void journal_group_release(struct journal_group *g)
{
	unsigned uses = atomic_fetch_sub(&g->uses, 1);

	REQUIRE(uses > 0);
	if (uses == 1)
		journal_group_free(g);
}

static void on_complete(struct task *task, void *executor_arg)
{
	struct journal_group *g = (struct journal_group *)task;

	if (g->done != NULL)
		g->done(g, g->status, executor_arg);
	journal_group_release(g);
}

void journal_group_complete(struct journal_group *g, int status)
{
	REQUIRE(g->executor != NULL && status <= 0 && !g->task.in_flight);
	g->status = status;
	g->task.run = on_complete;
	executor_send(g->executor, &g->task);
}

void journal_group_number(struct journal_group *g, struct journal *j, uint64_t *first_position)
{
	uint64_t position =
	    g->queued == 0 ? 0 : atomic_fetch_add(&j->next_position, (uint64_t)g->queued);

	if (first_position != NULL)
		*first_position = position;
	for (size_t i = 0; g->queued > 0 && i < g->count; i++) {
		struct record *r = &g->entries[i].record;

		if (r->kind == RECORD_QUEUE)
			r->number = position++;
		else if (r->kind == RECORD_SENT && r->number == 0)
			r->number = position - 1;
	}
}
