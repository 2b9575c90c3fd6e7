/* Groups that wait, and what cancels out meanwhile: a queue record that is done, a retained change
 * that a newer one follows.  All of it is in memory: what cancels out is never written. */
#include "journal/coalescer.h"

#include <errno.h>

#include "base/hash.h"
#include "base/list.h"
#include "journal/journal_group.h"

/* --- what waits for the end of the interval --- */

static uint64_t inbound_hash(const struct record *r)
{
	return hash_id(r->session_id ^ r->number << 48);
}

static bool is_same_inbound(const void *item, const void *key)
{
	const struct record *a = &((const struct group_entry *)item)->record, *b = key;

	return a->session_id == b->session_id && a->number == b->number;
}

static uint64_t topic_hash(const struct record *r)
{
	return hash_bytes(r->name.data, r->name.len);
}

static bool is_same_topic(const void *item, const void *key)
{
	const struct record *a = &((const struct group_entry *)item)->record, *b = key;

	return slice_equal(a->name, b->name);
}

static struct group_entry *found(void **at)
{
	return at == NULL ? NULL : *at;
}

static struct group_entry *find_queue(const struct writer *w, uint64_t position)
{
	return found(table_find(&w->pending_queue, hash_id(position), NULL, NULL));
}

static struct group_entry *find_inbound(const struct writer *w, const struct record *r)
{
	return found(table_find(&w->pending_inbound, inbound_hash(r), is_same_inbound, r));
}

static struct group_entry *find_retained(const struct writer *w, const struct record *r)
{
	return found(table_find(&w->pending_retained, topic_hash(r), is_same_topic, r));
}

static void unlist(struct writer *w, struct group_entry *e)
{
	const struct record *r = &e->record;

	if (r->kind == RECORD_QUEUE)
		table_remove(&w->pending_queue, hash_id(r->number), e);
	else if (r->kind == RECORD_INBOUND)
		table_remove(&w->pending_inbound, inbound_hash(r), e);
	else if (r->kind == RECORD_RETAINED)
		table_remove(&w->pending_retained, topic_hash(r), e);
}

/* --- cancelling --- */

static void cancel(struct group_entry *e)
{
	REQUIRE(!e->cancelled && e->group->left > 0);
	e->cancelled = true;
	e->group->left--;
}

/* `by`: the group that is being gathered, which is in no list yet. */
static void cancel_pending(struct writer *w, struct group_entry *e, const struct journal_group *by)
{
	unlist(w, e);
	cancel(e);
	if (e->group->left == 0 && e->group != by) {
		/* Nothing of it is left to commit: it is complete. */
		if (e->group->urgency == JOURNAL_NEXT)
			DL_DELETE(w->soon, e->group);
		else
			DL_DELETE(w->later, e->group);
		REQUIRE(w->coalesced_bytes >= e->group->bytes);
		w->coalesced_bytes -= e->group->bytes;
		writer_complete(w, e->group);
	}
}

static bool is_delayed(const struct journal_group *g)
{
	return g->urgency == JOURNAL_INTERVAL;
}

/* The entry refers to something that waits for the end of the interval: that is written first. */
static void need_flush(struct writer *w, const struct group_entry *e)
{
	if (!is_delayed(e->group))
		w->flush = true;
}

static void on_queue_done(struct writer *w, struct group_entry *e)
{
	struct group_entry *pending = find_queue(w, e->record.number);

	if (pending == NULL)
		return;
	cancel_pending(w, pending, e->group);
	cancel(e);
	w->cancelled++;
}

static void on_inbound_done(struct writer *w, struct group_entry *e)
{
	struct group_entry *pending = find_inbound(w, &e->record);

	if (pending == NULL)
		return;
	if (is_delayed(e->group))
		cancel_pending(w, pending, e->group);
	else
		w->flush = true;
}

static void on_sent(struct writer *w, struct group_entry *e)
{
	if (find_queue(w, e->record.number) != NULL)
		need_flush(w, e);
}

/* Of each topic at most one change waits, the newest.  An urgent change that is older than the one
 * that waits is written all the same: its acknowledgement promises that. */
static void on_retained(struct writer *w, struct group_entry *e)
{
	struct group_entry *pending = find_retained(w, &e->record);
	bool waits = e->group->urgency != JOURNAL_NOW;

	if (pending != NULL && pending->record.number > e->record.number) {
		if (waits)
			cancel(e);
		return;
	}
	if (pending != NULL)
		cancel_pending(w, pending, e->group);
	if (waits)
		table_add(&w->pending_retained, topic_hash(&e->record), e);
}

static void on_queue(struct writer *w, struct group_entry *e)
{
	if (is_delayed(e->group))
		table_add(&w->pending_queue, hash_id(e->record.number), e);
}

static void on_inbound(struct writer *w, struct group_entry *e)
{
	const struct group_entry *pending = find_inbound(w, &e->record);

	if (is_delayed(e->group) && pending == NULL)
		table_add(&w->pending_inbound, inbound_hash(&e->record), e);
}

typedef void gather_fn(struct writer *w, struct group_entry *e);

static gather_fn *const gatherers[RECORD_KINDS] = {
    [RECORD_QUEUE] = on_queue,
    [RECORD_QUEUE_DONE] = on_queue_done,
    [RECORD_SENT] = on_sent,
    [RECORD_INBOUND] = on_inbound,
    [RECORD_INBOUND_DONE] = on_inbound_done,
    [RECORD_RETAINED] = on_retained,
};

/* Records of one session are written in the order in which they were appended, except those that go
 * by position: while one of them waits, the others of that session wait as well. */
static void preserve_order(struct writer *w, struct group_entry *e)
{
	const struct record *r = &e->record;
	bool known;

	if (r->kind == RECORD_QUEUE_DONE || r->kind == RECORD_RETAINED)
		return;
	known = table_find(&w->pending_sessions, hash_id(r->session_id), NULL, NULL) != NULL;
	if (known)
		need_flush(w, e);
	else if (is_delayed(e->group) && r->kind != RECORD_QUEUE)
		table_add(&w->pending_sessions, hash_id(r->session_id), w);
}

void coalescer_gather(struct writer *w, struct journal_group *g)
{
	REQUIRE_WRITER(w);
	for (size_t i = 0; i < g->count; i++) {
		struct group_entry *e = &g->entries[i];

		if (gatherers[e->record.kind] != NULL)
			gatherers[e->record.kind](w, e);
		preserve_order(w, e);
	}
	if (g->urgency == JOURNAL_NOW) {
		DL_APPEND(w->soon, g);
		w->soon_urgent++;
	} else if (g->left == 0 && g->count > 0) {
		writer_complete(w, g);
	} else {
		w->coalesced_bytes += g->bytes;
		if (is_delayed(g))
			DL_APPEND(w->later, g);
		else
			DL_APPEND(w->soon, g);
	}
}

/* --- release --- */

static void unlist_retained(struct writer *w, struct journal_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct group_entry *e = &g->entries[i];

		if (e->record.kind == RECORD_RETAINED && !e->cancelled)
			unlist(w, e);
	}
}

static int by_serial(const struct journal_group *a, const struct journal_group *b)
{
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

static void forget_all(struct writer *w)
{
	table_fini(&w->pending_queue);
	table_fini(&w->pending_inbound);
	table_fini(&w->pending_retained);
	table_fini(&w->pending_sessions);
	w->coalesced_bytes = 0;
}

void coalescer_release(struct writer *w, bool everything)
{
	struct journal_group *g;

	REQUIRE_WRITER(w);
	if (!everything) {
		DL_FOREACH (w->soon, g) {
			if (g->urgency != JOURNAL_NEXT)
				continue;
			w->coalesced_bytes -= g->bytes;
			unlist_retained(w, g);
		}
	}
	DL_CONCAT(w->batch, w->soon);
	w->soon = NULL;
	w->soon_urgent = 0;
	if (everything) {
		forget_all(w);
		if (w->later != NULL) {
			DL_CONCAT(w->batch, w->later);
			DL_SORT(w->batch, by_serial);
		}
		w->later = NULL;
		w->flush = false;
	}
	if (w->later == NULL)
		w->flush_ms = WRITER_NEVER;
}

void coalescer_cancel(struct journal_group *g)
{
	if (g->done != NULL)
		journal_group_complete(g, -ECANCELED);
	else
		journal_group_free(g);
}

typedef void group_fn(struct journal_group *g);

static void empty_list(struct journal_group **list, group_fn *each)
{
	struct journal_group *g, *next;

	DL_FOREACH_SAFE (*list, g, next) {
		DL_DELETE(*list, g);
		each(g);
	}
}

static void empty_all(struct writer *w, group_fn *each)
{
	forget_all(w);
	empty_list(&w->batch, each);
	empty_list(&w->soon, each);
	empty_list(&w->later, each);
	empty_list(&w->pending, each);
}

void coalescer_cancel_all(struct writer *w)
{
	empty_all(w, coalescer_cancel);
}

void coalescer_fini(struct writer *w)
{
	empty_all(w, journal_group_free);
}
