/* Journal groups, and the two implementations that touch no disk: one keeps nothing, one (for
 * tests) holds every group until it is told.  A completion is always a post: it never runs inside
 * journal_append.  Any home appends. */
#include "store/journal.h"

#include <stdlib.h>

#include "base/alloc.h"

struct journal_group {
	struct post post; /* first: the completion on its way home */
	journal_done_fn *done;
	void *context;
	int status;
	struct record *records;
	size_t count, cap;
};

struct held_group {
	struct journal_group *group;
	struct home *home;
};

struct journal {
	bool durable;
	void (*append)(struct journal *j, struct home *home, struct journal_group *group);
	/* held_append's, under the lock, oldest first */
	struct mutex lock;
	struct held_group *held;
	_Atomic size_t held_count;
	size_t held_cap;
};

struct journal_group *journal_group_new(journal_done_fn *done, void *context)
{
	struct journal_group *g = xnew(g);

	g->done = done;
	g->context = context;
	return g;
}

/* Both slices in one block, which name.data then is: even where both are empty. */
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

void journal_group_add(struct journal_group *g, const struct record *record)
{
	struct record *r;

	if (g->count == g->cap) {
		g->cap = g->cap == 0 ? 4 : g->cap * 2;
		g->records = xrealloc_array(g->records, g->cap, sizeof(*g->records));
	}
	r = &g->records[g->count++];
	*r = *record;
	copy_bytes(r);
	if (r->msg != NULL)
		msg_ref(r->msg);
}

void *journal_group_context(const struct journal_group *g)
{
	return g->context;
}

size_t journal_group_count(const struct journal_group *g)
{
	return g->count;
}

const struct record *journal_group_at(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return &g->records[i];
}

static void record_fini(struct record *r)
{
	union {
		const uint8_t *borrowed;
		uint8_t *owned;
	} block = {.borrowed = r->name.data};

	free(block.owned);
	msg_unref(&r->msg);
}

void journal_group_free(struct journal_group *g)
{
	if (g == NULL)
		return;
	REQUIRE(!g->post.in_flight);
	for (size_t i = 0; i < g->count; i++)
		record_fini(&g->records[i]);
	free(g->records);
	free(g);
}

static void on_complete(struct post *post, void *home_arg)
{
	struct journal_group *g = (struct journal_group *)post;

	if (g->done != NULL)
		g->done(g, g->status, home_arg);
	journal_group_free(g);
}

static void complete(struct home *home, struct journal_group *g, int status)
{
	g->status = status;
	g->post.run = on_complete;
	home_post(home, &g->post);
}

void journal_append(struct journal *j, struct home *home, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position)
{
	struct journal_group *g = *group;

	(void)urgency;
	REQUIRE_HOME(home);
	*group = NULL;
	if (first_position != NULL)
		*first_position = 0;
	j->append(j, home, g);
}

bool journal_is_durable(const struct journal *j)
{
	return j->durable;
}

static void memory_append(struct journal *j, struct home *home, struct journal_group *g)
{
	(void)j;
	complete(home, g, 0);
}

static void held_append(struct journal *j, struct home *home, struct journal_group *g)
{
	mutex_lock(&j->lock);
	if (j->held_count == j->held_cap) {
		j->held_cap = j->held_cap == 0 ? 16 : j->held_cap * 2;
		j->held = xrealloc_array(j->held, j->held_cap, sizeof(*j->held));
	}
	j->held[j->held_count++] = (struct held_group){.group = g, .home = home};
	mutex_unlock(&j->lock);
}

static struct journal *journal_new(void)
{
	struct journal *j = xnew(j);

	mutex_init(&j->lock);
	return j;
}

struct journal *journal_memory_new(void)
{
	struct journal *j = journal_new();

	j->append = memory_append;
	return j;
}

struct journal *journal_held_new(void)
{
	struct journal *j = journal_new();

	j->append = held_append;
	j->durable = true;
	return j;
}

size_t journal_held_count(const struct journal *j)
{
	return j->held_count;
}

void journal_held_release(struct journal *j, size_t index, int status)
{
	struct held_group held;

	mutex_lock(&j->lock);
	REQUIRE(index < j->held_count);
	held = j->held[index];
	j->held_count--;
	memmove(&j->held[index], &j->held[index + 1], (j->held_count - index) * sizeof(*j->held));
	mutex_unlock(&j->lock);
	complete(held.home, held.group, status);
}

void journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->held_count; i++)
		journal_group_free(j->held[i].group);
	free(j->held);
	mutex_fini(&j->lock);
	free(j);
}
