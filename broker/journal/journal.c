/* Journal groups, what is sent about them, and the doors to the implementations
 * (journal_memory.c, writer.c).  A completion is always a task: it never runs inside
 * journal_append.  Any home appends. */
#include "journal/journal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "journal/journal_ops.h"

/* --- groups --- */

struct journal_group *journal_group_new(journal_done_fn *done, void *context)
{
	struct journal_group *g = xnew(g);

	g->done = done;
	g->context = context;
	g->bytes = sizeof(*g);
	atomic_init(&g->uses, 1); /* the completion's */
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

/* A message that several records name one after the other is there once. */
static size_t cost_of(const struct journal_group *g, const struct record *r)
{
	size_t bytes = sizeof(struct entry) + r->name.len + r->value.len;
	bool again = g->count > 1 && g->entries[g->count - 2].record.msg == r->msg;

	return r->msg == NULL || again ? bytes : bytes + msg_bytes(r->msg);
}

void journal_group_add(struct journal_group *g, const struct record *record)
{
	struct entry *e;

	if (g->count == g->cap) {
		g->cap = g->cap == 0 ? 4 : g->cap * 2;
		g->entries = xrealloc_array(g->entries, g->cap, sizeof(*g->entries));
	}
	e = &g->entries[g->count++];
	*e = (struct entry){.record = *record, .group = g};
	copy_bytes(&e->record);
	if (record->msg != NULL)
		msg_ref(record->msg);
	g->left++;
	g->queued += record->kind == RECORD_QUEUE;
	g->bytes += cost_of(g, &e->record);
}

void journal_group_await(struct journal_group *g, journal_done_fn *done, void *context)
{
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

const struct record *journal_group_at(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return &g->entries[i].record;
}

bool journal_group_stored(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return g->entries[i].kept;
}

bool journal_group_refused(const struct journal_group *g, size_t i)
{
	REQUIRE(i < g->count);
	return g->entries[i].refused;
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

/* --- how much waits --- */

void journal_count_waiting(struct journal *j, struct journal_group *g)
{
	size_t bytes = atomic_fetch_add(&j->waiting_bytes, g->bytes) + g->bytes;

	g->counted = j;
	if (bytes > JOURNAL_HIGH)
		j->was_full = true;
}

void journal_report_space(struct journal *j)
{
	for (unsigned i = 0; i < j->space_count; i++) {
		struct room *room = &j->rooms[i];

		if (!atomic_exchange(&room->on_its_way, true))
			executor_send(room->executor, &room->task);
	}
}

static void count_gone(const struct journal_group *g)
{
	struct journal *j = g->counted;
	size_t left;

	if (j == NULL)
		return;
	left = atomic_fetch_sub(&j->waiting_bytes, g->bytes) - g->bytes;
	if (left < JOURNAL_LOW && j->was_full && atomic_exchange(&j->was_full, false))
		journal_report_space(j);
}

void journal_group_free(struct journal_group *g)
{
	if (g == NULL)
		return;
	REQUIRE(!g->task.in_flight);
	count_gone(g);
	for (size_t i = 0; i < g->count; i++)
		record_fini(&g->entries[i].record);
	free(g->entries);
	free(g);
}

/* --- posts --- */

void journal_let_go(struct journal_group *g)
{
	if (atomic_fetch_sub(&g->uses, 1) == 1)
		journal_group_free(g);
}

static void on_complete(struct task *task, void *executor_arg)
{
	struct journal_group *g = (struct journal_group *)task;

	if (g->done != NULL)
		g->done(g, g->status, executor_arg);
	journal_let_go(g);
}

void journal_complete(struct journal_group *g, int status)
{
	g->status = status;
	g->task.run = on_complete;
	executor_send(g->executor, &g->task);
}

struct notification {
	struct journal_group *group;
	size_t index;
};

/* A task: some of what goes to one executor. */
#define NOTICES_MAX 256

struct notifications {
	struct task task;           /* first */
	struct notifications *next; /* another executor's */
	struct notifications *more; /* to the same executor, behind these */
	struct notifications *last; /* of the first: where more go */
	struct executor *executor;
	journal_queued_fn *queued;
	struct notification items[NOTICES_MAX];
	size_t count;
};

static void on_notifications(struct task *task, void *executor_arg)
{
	struct notifications *n = (struct notifications *)task;

	for (size_t i = 0; i < n->count; i++) {
		struct journal_group *g = n->items[i].group;
		const struct entry *e = &g->entries[n->items[i].index];

		n->queued(executor_arg, &e->record, e->kept);
		if (i + 1 == n->count || n->items[i + 1].group != g)
			journal_let_go(g);
	}
	free(n);
}

static struct notifications *notices_new(const struct journal *j, struct executor *executor)
{
	struct notifications *n = xnew(n);

	n->task.run = on_notifications;
	n->executor = executor;
	n->queued = j->queued;
	n->last = n;
	return n;
}

static struct notifications *notifications_for(struct notifications **list, struct journal *j,
                                               struct executor *executor)
{
	struct notifications *n = *list;

	while (n != NULL && n->executor != executor)
		n = n->next;
	if (n != NULL)
		return n;
	n = notices_new(j, executor);
	n->next = *list;
	*list = n;
	return n;
}

/* What goes to one executor of one group lies together, and is one use in each post. */
static void notification_add(struct notifications *first, const struct journal *j,
                             struct journal_group *g, size_t index)
{
	struct notifications *n = first->last;

	if (n->count == NOTICES_MAX)
		n = first->last = n->more = notices_new(j, first->executor);
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
			notification_add(notifications_for(list, j, r->executor), j, g, i);
	}
}

void notifications_send(struct notifications **list)
{
	while (*list != NULL) {
		struct notifications *n = *list;

		*list = n->next;
		while (n != NULL) {
			struct notifications *more = n->more;

			executor_send(n->executor, &n->task);
			n = more;
		}
	}
}

static void on_space(struct task *task, void *executor_arg)
{
	struct room *room = (struct room *)task;

	atomic_store(&room->on_its_way, false);
	room->run(executor_arg);
}

/* --- pages --- */

void journal_answer_empty(struct journal *j, struct journal_page *page, int status)
{
	page->status = status;
	page->more = status != 0;
	page->read_to = status == 0 ? j->next_position - 1 : page->from - (page->from > 0);
	executor_send(page->executor, &page->task);
}

void journal_page_fini(struct journal_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		msg_unref(&page->items[i].msg);
	free(page->items);
	page->items = NULL;
	page->count = 0;
	buf_fini(&page->bytes);
}

/* --- what all kinds have --- */

void journal_init(struct journal *j, const struct journal_kind *kind, uint64_t last_time_ms)
{
	int64_t wall_ms = clock_wall_ms();
	uint64_t now_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;

	j->kind = kind;
	mutex_init(&j->lock);
	atomic_init(&j->next_position, 1);
	atomic_init(&j->waiting_bytes, 0);
	atomic_init(&j->was_full, false);
	atomic_init(&j->room_bytes, UINT64_MAX);
	atomic_init(&j->low, false);
	atomic_init(&j->lacks_space, false);
	atomic_init(&j->used_bytes, 0);
	atomic_init(&j->max_bytes, 0);
	j->last_time_ms = last_time_ms;
	j->time_ms = now_ms > last_time_ms ? now_ms : last_time_ms;
	j->zero_ms = clock_monotonic_ms();
}

void journal_fini(struct journal *j)
{
	free(j->rooms);
	mutex_fini(&j->lock);
}

void journal_number(struct journal *j, struct journal_group *g, uint64_t *first_position)
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

void journal_append(struct journal *j, struct executor *executor, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position)
{
	struct journal_group *g = *group;

	REQUIRE_EXECUTOR(executor);
	*group = NULL;
	g->executor = executor;
	g->urgency = urgency;
	j->kind->append(j, g, first_position);
}

bool journal_is_durable(const struct journal *j)
{
	return j->kind->durable;
}

void journal_on_queued(struct journal *j, journal_queued_fn *queued)
{
	j->queued = queued;
}

void journal_read(struct journal *j, struct journal_page *page)
{
	REQUIRE_EXECUTOR(page->executor);
	page->items = NULL;
	page->count = 0;
	page->bytes = (struct buf){0};
	page->read_to = 0;
	page->more = false;
	page->status = 0;
	j->kind->read(j, page);
}

bool journal_is_full(const struct journal *j)
{
	return j->waiting_bytes > JOURNAL_HIGH;
}

void journal_set_owners(struct journal *j, const struct journal_owners *owners)
{
	j->owners = *owners;
}

void journal_space(const struct journal *j, uint64_t *used, uint64_t *whole)
{
	*used = j->used_bytes + j->waiting_bytes;
	*whole = j->max_bytes;
}

size_t journal_waiting(const struct journal *j)
{
	return j->waiting_bytes;
}

bool journal_lacks_space(const struct journal *j)
{
	return j->low || j->lacks_space;
}

uint64_t journal_free_space(const struct journal *j)
{
	uint64_t room_bytes = j->room_bytes;
	size_t waiting_bytes = j->waiting_bytes;

	return !j->low && waiting_bytes < room_bytes ? room_bytes - waiting_bytes : 0;
}

bool journal_is_low(struct journal *j, size_t bytes)
{
	if (!j->low && j->waiting_bytes + bytes <= j->room_bytes)
		return false;
	j->kind->lower_space(j, bytes);
	return true;
}

void journal_on_space(struct journal *j, struct executor *const *executors, unsigned count,
                      journal_space_fn *room)
{
	REQUIRE(j->rooms == NULL);
	j->rooms = xcalloc(count > 0 ? count : 1, sizeof(*j->rooms));
	j->space_count = count;
	for (unsigned i = 0; i < count; i++) {
		j->rooms[i].task.run = on_space;
		j->rooms[i].executor = executors[i];
		j->rooms[i].run = room;
		atomic_init(&j->rooms[i].on_its_way, false);
	}
}

void journal_health(struct journal *j, struct journal_health *out)
{
	*out = (struct journal_health){.state = JOURNAL_WORKS};
	if (j->kind->health != NULL)
		j->kind->health(j, out);
}

/* --- time --- */

uint64_t journal_time_ms(const struct journal *j, uint64_t monotonic_ms)
{
	uint64_t time_ms = j->time_ms + (monotonic_ms - j->zero_ms);

	if (monotonic_ms == MSG_NEVER)
		return MSG_NEVER;
	/* Later than any clock can say is as good as the last moment. */
	return monotonic_ms > j->zero_ms && time_ms < j->time_ms ? MSG_NEVER - 1 : time_ms;
}

uint64_t journal_last_time_ms(const struct journal *j)
{
	return j->last_time_ms;
}

uint64_t journal_monotonic_ms(const struct journal *j, uint64_t time_ms)
{
	if (time_ms == MSG_NEVER)
		return MSG_NEVER;
	if (time_ms < j->time_ms)
		return j->time_ms - time_ms < j->zero_ms ? j->zero_ms - (j->time_ms - time_ms) : 0;
	time_ms -= j->time_ms;
	return time_ms < MSG_NEVER - 1 - j->zero_ms ? j->zero_ms + time_ms : MSG_NEVER - 1;
}

/* --- life --- */

int journal_restore(struct journal *j, const struct journal_visitor *visitor, void *arg,
                    char text[STORE_ERROR_TEXT])
{
	text[0] = '\0';
	return j->kind->restore == NULL ? 0 : j->kind->restore(j, visitor, arg, text);
}

int journal_start(struct journal *j)
{
	return j->kind->start == NULL ? 0 : j->kind->start(j);
}

bool journal_turn(struct journal *j, uint64_t now_ms)
{
	return j->kind->turn != NULL && j->kind->turn(j, now_ms);
}

void journal_stop(struct journal *j)
{
	if (j->kind->stop != NULL)
		j->kind->stop(j);
}

void journal_free(struct journal *j)
{
	if (j != NULL)
		j->kind->free(j);
}
