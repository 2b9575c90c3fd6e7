/* Queues on disk: a row for each message that waits.  The message is in the row, or where several
 * queues share it or it is large, in a body with a reference count. */
#include "journal/writer_queue.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "journal/queue_state.h"

/* A larger message is not in the row: scans of the queue do not have to read it. */
#define INLINE_MAX 1500
#define ROW_BYTES  256 /* what a row needs besides, with its share of a page */

/* --- writing --- */

/* Records that follow each other in a group and carry the same message. */
struct message_run {
	struct group_entry *begin, *end;
	size_t count; /* that are not cancelled */
	struct msg *msg;
	uint64_t body_id; /* the first one's position: nothing else has it */
	uint32_t bytes;
	bool has_body;
	uint32_t refs; /* stored */
};

static uint32_t counted_bytes(const struct msg *m)
{
	size_t bytes = msg_bytes(m);

	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

static bool is_of_run(const struct group_entry *e, const struct msg *msg)
{
	return e->record.kind == RECORD_QUEUE && e->record.msg == msg;
}

/* Is this the first of its run that is not cancelled? */
static bool begins_run(const struct group_entry *e)
{
	const struct group_entry *first = e->group->entries;

	for (const struct group_entry *at = e; at > first && is_of_run(at - 1, e->record.msg);
	     at--) {
		if (!at[-1].cancelled)
			return false;
	}
	return true;
}

static struct message_run run_at(struct group_entry *e)
{
	struct group_entry *last = e->group->entries + e->group->count;
	struct message_run run = {.begin = e, .msg = e->record.msg, .body_id = e->record.number};

	for (run.end = e; run.end < last && is_of_run(run.end, run.msg); run.end++)
		run.count += !run.end->cancelled;
	run.bytes = counted_bytes(run.msg);
	run.has_body = run.count > 1 || msg_bytes(run.msg) - sizeof(*run.msg) > INLINE_MAX;
	return run;
}

/* Only urgent records are refused. */
static enum queue_outcome admit(const struct writer *w, const struct message_run *run,
                                const struct group_entry *e)
{
	const struct record *r = &e->record;
	const struct queue_owner *s = queue_state_find(w, r->session_id);

	if (s == NULL)
		return QUEUE_NOT_STORED;
	if (e->group->urgency != JOURNAL_NOW)
		return QUEUE_STORED;
	/* Without an executor it is already in flight, and is stored with its packet identifier. */
	/* mutant: store_share_admits */
	if (r->executor != NULL && !queue_state_owner_admits(w, s, run->bytes))
		return QUEUE_SHARE_FULL;
	/* One message passes where the queue is empty: it may be larger than the bound by itself.
	 */
	if (s->now.count == 0 ||
	    (s->now.count < s->now.bound_count && s->now.bytes <= s->now.bound_bytes &&
	     run->bytes <= s->now.bound_bytes - s->now.bytes))
		return QUEUE_STORED;
	return QUEUE_FULL;
}

static void put_queue_row(struct writer *w, const struct message_run *run, const struct record *r)
{
	struct row_queue row = {
	    .has_body = run->has_body,
	    .body_id = run->body_id,
	    .bytes = run->bytes,
	    .value = r->value,
	    .message = run->has_body ? SLICE_EMPTY : buf_slice(&w->message),
	};
	struct queue_owner *s = queue_state_touch(w, r->session_id);
	struct row_key key;

	/* The highest is stored with it (put_position), so that no start gives it again. */
	REQUIRE(r->number != 0 && r->number <= w->taken_position);
	s->now.count++;
	s->now.bytes += run->bytes;
	queue_state_charge(w, s);
	w->queued_bytes += ROW_BYTES + (run->has_body ? 0 : run->bytes);
	w->wrote_queue = true;
	w->wrote_messages++;
	buf_clear(&w->row);
	row_put_queue(&w->row, &row);
	store_put(w->store, TABLE_QUEUE, row_key_pair(&key, r->session_id, r->number),
	          buf_slice(&w->row));
	writer_row_done(w);
}

static void put_refs(struct writer *w, struct slice id, uint32_t refs)
{
	buf_clear(&w->row);
	row_put_refs(&w->row, refs);
	store_put(w->store, TABLE_BODY_REFS, id, buf_slice(&w->row));
}

static void put_rows(struct writer *w, struct message_run *run)
{
	for (struct group_entry *e = run->begin; e < run->end; e++) {
		if (e->cancelled)
			continue;
		e->outcome = admit(w, run, e);
		if (e->outcome != QUEUE_STORED)
			continue;
		run->refs++;
		put_queue_row(w, run, &e->record);
	}
}

void writer_queue_apply(struct writer *w, struct group_entry *e)
{
	struct message_run run;
	struct row_msg message;
	struct row_key key;

	REQUIRE_WRITER(w);
	if (!begins_run(e))
		return;
	run = run_at(e);
	message = row_msg_of(run.msg, journal_time_ms(&w->j, run.msg->expires_ms));
	buf_clear(&w->message);
	row_put_msg(&w->message, &message);
	put_rows(w, &run);
	if (!run.has_body || run.refs == 0)
		return;
	w->queued_bytes += run.bytes;
	store_put(w->store, TABLE_BODY, row_key_id(&key, run.body_id), buf_slice(&w->message));
	put_refs(w, row_key_id(&key, run.body_id), run.refs);
}

/* --- done --- */

void writer_queue_drop_body(struct writer *w, uint64_t body_id)
{
	struct row_key key;
	struct slice id = row_key_id(&key, body_id), row;
	uint32_t refs = 0;
	bool found = store_get(w->store, TABLE_BODY_REFS, id, &row);

	if (!store_expect(w->store, found && row_read_refs(row, &refs)))
		return;
	if (refs > 1) {
		put_refs(w, id, refs - 1);
		return;
	}
	(void)store_delete(w->store, TABLE_BODY, id);
	(void)store_delete(w->store, TABLE_BODY_REFS, id);
}

/* Nothing to do for a session that has ended, or a position that is not there. */
void writer_queue_done(struct writer *w, uint64_t session_id, uint64_t position)
{
	struct row_key key;
	struct slice at = row_key_pair(&key, session_id, position), row;
	struct queue_owner *s;
	struct row_queue q;

	REQUIRE_WRITER(w);
	if (queue_state_find(w, session_id) == NULL ||
	    !store_get(w->store, TABLE_QUEUE, at, &row) ||
	    !store_expect(w->store, row_read_queue(row, &q)))
		return;
	s = queue_state_touch(w, session_id);
	REQUIRE(s->now.count > 0 && s->now.bytes >= q.bytes); /* each row is counted */
	s->now.count--;
	s->now.bytes -= q.bytes;
	queue_state_charge(w, s);
	(void)store_delete(w->store, TABLE_QUEUE, at);
	(void)store_delete(w->store, TABLE_SENT, at);
	if (q.has_body)
		writer_queue_drop_body(w, q.body_id);
}

/* --- pages --- */

struct page_reading {
	struct writer *w;
	struct journal_page *page;
	size_t bytes;
	size_t *value_at;   /* of each item's value in the page's bytes */
	uint64_t *body_ids; /* of each item: where its message is yet to be read */
	struct origin *origin;
};

static struct msg *make_message(struct page_reading *reading, const struct row_msg *m)
{
	uint64_t expires_ms = journal_monotonic_ms(&reading->w->j, m->expires_ms);

	return row_msg_new(m, expires_ms, &reading->origin);
}

static void add_item(struct page_reading *reading, uint64_t position, const struct row_queue *q)
{
	struct journal_page *page = reading->page;
	size_t i = page->count++;

	array_extend(page->items, i);
	array_extend(reading->value_at, i);
	array_extend(reading->body_ids, i);
	page->items[i] = (struct journal_page_item){
	    .position = position,
	    .value = slice_of(NULL, q->value.len),
	};
	reading->value_at[i] = page->bytes.len;
	reading->body_ids[i] = q->body_id;
	buf_put_slice(&page->bytes, q->value);
	reading->bytes += q->bytes;
}

static bool visit_row(void *arg, struct slice key, struct slice row)
{
	struct page_reading *reading = arg;
	struct journal_page *page = reading->page;
	uint64_t session_id, position;
	struct row_queue q;
	struct row_msg m;

	if (!row_key_read_pair(key, &session_id, &position) || session_id != page->session_id)
		return false;
	if (!store_expect(reading->w->store,
	                  row_read_queue(row, &q) && (q.has_body || row_read_msg(q.message, &m))))
		return false;
	if (page->count > 0 && (page->count >= page->max_count || q.bytes > page->max_bytes ||
	                        reading->bytes > page->max_bytes - q.bytes)) {
		page->more = true;
		return false;
	}
	add_item(reading, position, &q);
	if (!q.has_body)
		page->items[page->count - 1].msg = make_message(reading, &m);
	return true;
}

/* Messages that are not in their rows; and the values, now that their bytes do not move any more.
 */
static void complete_item(struct page_reading *reading, size_t i)
{
	struct journal_page *page = reading->page;
	struct journal_page_item *item = &page->items[i];
	struct store *store = reading->w->store;
	struct row_key key;
	struct row_msg m;
	struct slice row;
	bool found;

	if (item->value.len > 0)
		item->value.data = page->bytes.data + reading->value_at[i];
	item->sent = store_get(store, TABLE_SENT,
	                       row_key_pair(&key, page->session_id, item->position), &row);
	if (item->msg != NULL)
		return;
	found = store_get(store, TABLE_BODY, row_key_id(&key, reading->body_ids[i]), &row);
	if (store_expect(store, found && row_read_msg(row, &m)))
		item->msg = make_message(reading, &m);
}

void writer_queue_read_page(struct writer *w, struct journal_page *page)
{
	struct page_reading reading = {.w = w, .page = page};
	struct row_key from;

	REQUIRE_WRITER(w);
	REQUIRE(page->count == 0); /* new, or taken back */
	page->more = false;
	page->status = 0;
	if (queue_state_find(w, page->session_id) != NULL)
		store_scan(w->store, TABLE_QUEUE, row_key_pair(&from, page->session_id, page->from),
		           visit_row, &reading);
	for (size_t i = 0; i < page->count; i++)
		complete_item(&reading, i);
	page->read_to = page->more ? page->items[page->count - 1].position : w->taken_position;
	free(reading.value_at);
	free(reading.body_ids);
	origin_unref(&reading.origin);
}
