/* Positions below `from` are, or were, in memory; from there on they are on disk only, while
 * `behind`. A page moves `from` on.  Messages that were dispatched before the journal knew them
 * (durability: interval) may arrive after a page that holds them: `given` tells. */
#include "session/disk_queue.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/list.h"
#include "durability/record_batch.h"
#include "durability/record_codec.h"
#include "durability/store_quota.h"
#include "session/inflight/inflight.h"
#include "session/memory_wait.h"
#include "session/session_upcalls.h"
#include "worker/memory_quota.h"
#include "worker/ordered_work.h"
#include "worker/shared.h"

#define MEMORY_MESSAGES 128 /* that wait in memory for a client that is there */
#define MEMORY_BYTES    ((size_t)512 << 10)
#define PAGE_MESSAGES   256
#define PAGE_BYTES      ((size_t)512 << 10)
#define LOW_MESSAGES    64 /* fewer than these in memory: the next page */

#define PAGE_FREE ((size_t)8192) /* that is read even where memory is short */

/* A page that is on its way, and what it may hold. */
struct asked_page {
	struct journal_page page;
	struct ordered_work work; /* its answer comes after what was notified before it */
	struct charge charge;
	bool alone; /* it has worker->page_asked */
};

struct disk_queue {
	bool behind;
	uint64_t from;  /* the next page begins here */
	uint64_t last;  /* the highest position left on disk */
	uint64_t count; /* messages on disk only */
	uint64_t bytes;
	uint64_t given_from, given_to; /* by pages */
	struct journal_page *page;     /* asked for; NULL: none */
};

static struct disk_queue *disk_queue_of(struct session *s)
{
	if (s->disk_queue == NULL)
		s->disk_queue = xnew(s->disk_queue);
	return s->disk_queue;
}

static bool is_behind(const struct session *s)
{
	return s->disk_queue != NULL && s->disk_queue->behind;
}

uint64_t disk_queue_count(const struct session *s)
{
	return s->disk_queue == NULL ? 0 : s->disk_queue->count;
}

uint64_t disk_queue_bytes(const struct session *s)
{
	return s->disk_queue == NULL ? 0 : s->disk_queue->bytes;
}

bool disk_queue_has_given(const struct session *s, uint64_t position)
{
	const struct disk_queue *b = s->disk_queue;

	return b != NULL && position >= b->given_from && position <= b->given_to;
}

const char *disk_queue_exceeds(const struct session *s, size_t bytes)
{
	return store_quota_exceeds(s->worker, s->charge.payer,
	                           s->waiting.bytes + disk_queue_bytes(s), bytes);
}

/* --- to disk --- */

static uint64_t highest_of(const struct inflight_list *list)
{
	const struct inflight *o;
	uint64_t highest = 0;

	DL_FOREACH (list->head, o) {
		if (o->position > highest)
			highest = o->position;
	}
	return highest;
}

/* Not where something later is in memory: pages would give that a second time. */
static bool may_begin(const struct session *s, uint64_t position)
{
	return position > highest_of(&s->waiting) && position > highest_of(&s->sent);
}

static void leave_message(struct session *s, uint64_t position, struct msg *msg)
{
	struct disk_queue *b = disk_queue_of(s);

	if (!b->behind)
		b->from = position;
	b->behind = true;
	if (position > b->last)
		b->last = position;
	b->count++;
	b->bytes += msg_bytes(msg);
	count(&s->worker->counters.queued);
	/* mutant: figures_of_the_disk */
	count_by(&s->worker->counters.queued_disk_bytes, msg_bytes(msg));
}

bool disk_queue_leave_behind(struct session *s, uint64_t position, struct msg *msg)
{
	bool to_disk = is_behind(s) ? position >= s->disk_queue->from : may_begin(s, position);

	REQUIRE_OWNER(s);
	REQUIRE(position > 0);
	if (to_disk)
		leave_message(s, position, msg);
	return to_disk;
}

bool disk_queue_leave(struct session *s, uint64_t position, struct msg *msg)
{
	bool memory_has_space = s->link != NULL && s->waiting.count < MEMORY_MESSAGES &&
	                        s->waiting.bytes < MEMORY_BYTES;
	bool to_disk = is_behind(s) ? position >= s->disk_queue->from
	                            : !memory_has_space && may_begin(s, position);

	REQUIRE_OWNER(s);
	REQUIRE(position > 0); /* the journal has it */
	if (to_disk)
		leave_message(s, position, msg);
	return to_disk;
}

/* Behind this there is nothing on the wire, and nothing of a $share group, which stays in memory to
 * be given to another member: a page from there on brings nothing twice. */
static uint64_t end_of_memory(const struct session *s)
{
	uint64_t end = highest_of(&s->sent);
	const struct inflight *o;

	DL_FOREACH (s->waiting.head, o) {
		if (o->info != NULL && o->info->group_id != 0 && o->position > end)
			end = o->position;
	}
	return end;
}

void disk_queue_page_out(struct session *s)
{
	uint64_t end = end_of_memory(s);
	struct inflight *o, *next;

	REQUIRE_OWNER(s);
	if (s->disk_queue != NULL)
		s->disk_queue->page = NULL; /* its answer is for nobody */
	DL_FOREACH_SAFE (s->waiting.head, o, next) {
		if (o->position <= end)
			continue;
		if (is_behind(s) && o->position < s->disk_queue->from)
			s->disk_queue->from = o->position;
		leave_message(s, o->position, o->msg);
		inflight_delete(s, &s->waiting, o);
		inflight_free(o);
	}
}

bool disk_queue_leave_rest(struct session *s, uint64_t first, uint64_t count, uint64_t bytes)
{
	struct disk_queue *b;

	REQUIRE_OWNER(s);
	if (count == 0)
		return true;
	REQUIRE(first > 0);
	if (first <= end_of_memory(s))
		return false;
	b = disk_queue_of(s);
	if (!b->behind || first < b->from) {
		b->from = first;
		/* One that is asked for begins too late: its answer is for nobody. */
		/* mutant: page_begins_too_late */
		b->page = NULL;
	}
	b->behind = true;
	if (first + count - 1 > b->last)
		b->last = first + count - 1;
	b->count += count;
	b->bytes += bytes;
	count_by(&s->worker->counters.queued, count);
	count_by(&s->worker->counters.queued_disk_bytes, bytes);
	return true;
}

void disk_queue_restore(struct session *s, uint64_t count, uint64_t bytes, uint64_t first)
{
	struct disk_queue *b = disk_queue_of(s);

	REQUIRE(!b->behind && s->link == NULL);
	b->behind = true;
	b->from = first;
	b->count = count;
	b->bytes = bytes;
	count_by(&s->worker->counters.queued, count);
	count_by(&s->worker->counters.queued_disk_bytes, bytes);
}

void disk_queue_free(struct session *s)
{
	uncount(&s->worker->counters.queued, disk_queue_count(s));
	uncount(&s->worker->counters.queued_disk_bytes, disk_queue_bytes(s));
	free(s->disk_queue);
	s->disk_queue = NULL;
}

/* --- and back --- */

static void forget_some(struct session *s, uint64_t count, uint64_t bytes)
{
	struct disk_queue *b = s->disk_queue;

	if (count > b->count)
		count = b->count;
	if (bytes > b->bytes)
		bytes = b->bytes;
	b->count -= count;
	b->bytes -= bytes;
	uncount(&s->worker->counters.queued, count);
	uncount(&s->worker->counters.queued_disk_bytes, bytes);
}

static void take_item(struct session *s, const struct journal_page_item *item)
{
	struct delivery_record delivery;
	struct delivery d = {.position = item->position};
	uint8_t qos;

	forget_some(s, 1, msg_bytes(item->msg));
	if (!record_read_delivery(item->value, &delivery)) {
		record_queue_done(s->worker, s->id, item->position);
		return;
	}
	d.qos = delivery.qos;
	d.retain = delivery.retain;
	d.ids = delivery.ids;
	qos = item->msg->qos < delivery.qos ? item->msg->qos : delivery.qos;
	inflight_append(s, &s->waiting, inflight_new(item->msg, &d, qos));
	subscription_ids_fini(&delivery.ids);
}

static void take_page(struct session *s, const struct journal_page *page)
{
	struct disk_queue *b = s->disk_queue;

	REQUIRE(b->behind && page->from == b->from); /* one page at a time, in order */
	for (size_t i = 0; i < page->count; i++) {
		if (!page->items[i].sent) /* else it is in memory since the start */
			take_item(s, &page->items[i]);
	}
	if (page->from != b->given_to + 1)
		b->given_from = page->from;
	b->given_to = page->read_to;
	b->from = page->read_to + 1;
	b->behind = page->more || b->last > page->read_to;
	if (!b->behind)
		forget_some(s, b->count, b->bytes);
}

static void free_asked(struct worker *w, struct asked_page *asked)
{
	if (asked->alone) {
		REQUIRE(w->sessions->page_asked);
		w->sessions->page_asked = false;
	}
	charge_fini(w, &asked->charge);
	journal_page_fini(&asked->page);
	free(asked);
}

static void drop_asked(struct worker *w, struct ordered_work *work)
{
	free_asked(w, container_of(work, struct asked_page, work));
}

static bool take_asked(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct asked_page *asked = container_of(work, struct asked_page, work);
	struct journal_page *page = &asked->page;
	struct session *s = session_find_by_id(w, page->session_id);

	(void)until;                      /* a page is little */
	charge_set(w, &asked->charge, 0); /* it is counted as the session's now */
	if (s != NULL && s->disk_queue != NULL && s->disk_queue->page == page) {
		s->disk_queue->page = NULL;
		if (page->status == 0) {
			take_page(s, page);
			if (s->link != NULL)
				w->upcalls->on_unblocked(s->link);
		}
	}
	w->work += page->count;
	free_asked(w, asked);
	return true;
}

static void on_page(struct task *task, void *executor_arg)
{
	struct journal_page *page = container_of(task, struct journal_page, task);

	ordered_work_add(executor_arg, ORDERED_POSITIONS,
	                 &container_of(page, struct asked_page, page)->work);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How much there may be in the next page; 0: there is no memory for any. Where it is short a little
 * is read all the same, by one session of the worker at a time, for it is to be drained. */
static size_t memory_for_page(struct session *s, bool *alone)
{
	struct worker *w = s->worker;
	const struct disk_queue *b = s->disk_queue;
	size_t bytes = (size_t)least(b->bytes, PAGE_BYTES);
	size_t each = b->count == 0 ? 0 : (size_t)(b->bytes / b->count);

	bytes += (size_t)least(b->count, PAGE_MESSAGES) * (sizeof(struct inflight) + CHARGE_ALLOC);
	if (bytes <= PAGE_FREE || quota_memory(w, s->charge.payer, bytes) == NULL)
		return bytes + 1;
	*alone = true;
	/* mutant: memory_small_pages */
	if (w->sessions->page_asked || s->waiting.count + s->sent.count > 0)
		return 0;
	if (each > PAGE_FREE && quota_memory_drain(w, s->charge.payer, each) != NULL)
		return 0;
	return each > PAGE_FREE ? each : PAGE_FREE;
}

void disk_queue_pump(struct session *s)
{
	struct worker *w = s->worker;
	struct asked_page *asked;
	bool alone = false;
	size_t bytes;

	REQUIRE_OWNER(s);
	if (!is_behind(s) || s->disk_queue->page != NULL || s->link == NULL ||
	    s->waiting.count >= LOW_MESSAGES)
		return;
	bytes = memory_for_page(s, &alone);
	if (bytes == 0) {
		memory_wait(s);
		return;
	}
	asked = xnew(asked);
	asked->alone = alone;
	if (alone)
		w->sessions->page_asked = true;
	charge_init(&asked->charge, payer_ref(&w->shared->payers, s->charge.payer));
	charge_add(w, &asked->charge, bytes);
	asked->work.go_on = take_asked;
	asked->work.drop = drop_asked;
	asked->page.task.run = on_page;
	asked->page.executor = &w->executor;
	asked->page.session_id = s->id;
	asked->page.from = s->disk_queue->from;
	asked->page.max_count = PAGE_MESSAGES;
	asked->page.max_bytes = alone ? PAGE_FREE : PAGE_BYTES;
	s->disk_queue->page = &asked->page;
	record_batch_flush(w);
	journal_read(w->shared->journal, &asked->page);
}
