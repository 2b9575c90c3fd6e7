/* Queues on disk: a row for each message that waits, the message in it or, where several wait for
 * it or it is large, in a body that counts who does. */
#include "journal/writer_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "journal/queue_state.h"

/* A larger message is not in the row: who looks at rows reads past it. */
#define INLINE_MAX 1500
#define ROW_BYTES  256 /* what a row takes besides, with its part of a page */

/* --- writing --- */

/* Records that follow each other and carry the same message. */
struct run {
	struct journal_group *group;
	size_t at, end;
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

static struct run run_at(struct journal_group *g, size_t at)
{
	struct run run = {.group = g, .at = at, .msg = g->entries[at].record.msg};

	for (run.end = at; run.end < g->count; run.end++) {
		const struct entry *e = &g->entries[run.end];

		if (e->record.kind != RECORD_QUEUE || e->record.msg != run.msg)
			break;
		if (!e->cancelled && run.count++ == 0)
			run.body_id = e->record.number;
	}
	run.bytes = counted_bytes(run.msg);
	run.has_body = run.count > 1 || msg_bytes(run.msg) - sizeof(*run.msg) > INLINE_MAX;
	return run;
}

/* Only what somebody waits for is refused. */
static bool is_admitted(const struct writer *w, const struct run *run, const struct record *r)
{
	const struct queue_owner *s = queue_state_find(w, r->session_id);

	if (s == NULL)
		return false;
	if (run->group->urgency != JOURNAL_NOW)
		return true;
	/* Nobody is told: it is on its way to its client, and has to be kept with its identifier.
	 */
	/* mutant: store_share_admits */
	if (r->executor != NULL && !queue_state_owner_admits(w, s, run->bytes))
		return false;
	return s->now.count < s->now.bound_count && s->now.bytes <= s->now.bound_bytes &&
	       run->bytes <= s->now.bound_bytes - s->now.bytes;
}

static int put_queue_row(struct writer *w, const struct run *run, const struct record *r)
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

	s->now.count++;
	s->now.bytes += run->bytes;
	queue_state_charge(w, s);
	w->queued_bytes += ROW_BYTES + (run->has_body ? 0 : run->bytes);
	w->wrote_queue = true;
	w->wrote_messages++;
	buf_clear(&w->row);
	row_put_queue(&w->row, &row);
	return writer_put(w, TABLE_QUEUE, row_key_pair(&key, r->session_id, r->number),
	                  buf_slice(&w->row));
}

static int put_body(struct writer *w, const struct run *run)
{
	struct row_key key;
	struct slice id = row_key_id(&key, run->body_id);
	int rc;

	if (!run->has_body || run->refs == 0)
		return 0;
	w->queued_bytes += run->bytes;
	rc = writer_put(w, TABLE_BODY, id, buf_slice(&w->message));
	if (rc != 0)
		return rc;
	buf_clear(&w->row);
	row_put_refs(&w->row, run->refs);
	return writer_put(w, TABLE_BODY_REFS, id, buf_slice(&w->row));
}

static int put_rows(struct writer *w, struct run *run)
{
	int rc = 0;

	for (size_t i = run->at; rc == 0 && i < run->end; i++) {
		struct entry *e = &run->group->entries[i];

		e->kept = !e->cancelled && is_admitted(w, run, &e->record);
		e->refused =
		    !e->cancelled && !e->kept && queue_state_find(w, e->record.session_id) != NULL;
		if (!e->kept)
			continue;
		run->refs++;
		rc = put_queue_row(w, run, &e->record);
	}
	return rc;
}

int writer_queue_apply(struct writer *w, struct journal_group *g, size_t *at)
{
	struct run run = run_at(g, *at);
	struct row_msg message;
	int rc;

	*at = run.end;
	if (run.count == 0)
		return 0;
	message = row_msg_of(run.msg, journal_time_ms(&w->j, run.msg->expires_ms));
	buf_clear(&w->message);
	row_put_msg(&w->message, &message);
	rc = put_rows(w, &run);
	return rc == 0 ? put_body(w, &run) : rc;
}

/* --- done --- */

int writer_queue_drop_body(struct writer *w, uint64_t body_id)
{
	struct row_key key;
	struct slice id = row_key_id(&key, body_id), row;
	uint32_t refs;
	int rc = store_get(w->store, TABLE_BODY_REFS, id, &row);

	if (rc != 0)
		return rc == -ENOENT ? -EBADMSG : rc;
	if (!row_read_refs(row, &refs))
		return -EBADMSG;
	if (refs > 1) {
		buf_clear(&w->row);
		row_put_refs(&w->row, refs - 1);
		return writer_put(w, TABLE_BODY_REFS, id, buf_slice(&w->row));
	}
	rc = writer_remove(w, TABLE_BODY, id);
	return rc == 0 ? writer_remove(w, TABLE_BODY_REFS, id) : rc;
}

static void uncount(struct writer *w, uint64_t session_id, uint32_t bytes)
{
	struct queue_owner *s = queue_state_touch(w, session_id);
	struct queue_state *q = &s->now;

	q->count -= q->count > 0;
	q->bytes -= bytes < q->bytes ? bytes : q->bytes;
	queue_state_charge(w, s);
}

/* Of a session that has ended all goes anyway; of a position that is not there nothing does. */
int writer_queue_done(struct writer *w, uint64_t session_id, uint64_t position)
{
	struct row_key key;
	struct slice at = row_key_pair(&key, session_id, position), row;
	struct row_queue q;
	int rc;

	if (queue_state_find(w, session_id) == NULL)
		return 0;
	rc = store_get(w->store, TABLE_QUEUE, at, &row);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	if (!row_read_queue(row, &q))
		return -EBADMSG;
	uncount(w, session_id, q.bytes);
	rc = writer_remove(w, TABLE_QUEUE, at);
	if (rc == 0)
		rc = writer_remove(w, TABLE_SENT, at);
	return rc == 0 && q.has_body ? writer_queue_drop_body(w, q.body_id) : rc;
}

/* --- pages --- */

struct reading {
	struct writer *w;
	struct journal_page *page;
	size_t cap, bytes;
	size_t *value_at;   /* of each item's value in the page's bytes */
	uint64_t *body_ids; /* of each item: where its message is yet to be read */
	struct origin *origin;
	bool bad;
};

static struct msg *make_message(struct reading *reading, const struct row_msg *m)
{
	uint64_t expires_ms = journal_monotonic_ms(&reading->w->j, m->expires_ms);

	return row_msg_new(m, expires_ms, &reading->origin);
}

static void add_item(struct reading *reading, uint64_t position, const struct row_queue *q)
{
	struct journal_page *page = reading->page;
	size_t i = page->count++;

	if (i == reading->cap) {
		reading->cap = reading->cap == 0 ? 16 : reading->cap * 2;
		page->items = xrealloc_array(page->items, reading->cap, sizeof(*page->items));
		reading->value_at =
		    xrealloc_array(reading->value_at, reading->cap, sizeof(*reading->value_at));
		reading->body_ids =
		    xrealloc_array(reading->body_ids, reading->cap, sizeof(*reading->body_ids));
	}
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
	struct reading *reading = arg;
	struct journal_page *page = reading->page;
	uint64_t session_id, position;
	struct row_queue q;
	struct row_msg m;

	if (!row_key_read_pair(key, &session_id, &position) || session_id != page->session_id)
		return false;
	reading->bad = !row_read_queue(row, &q) || (!q.has_body && !row_read_msg(q.message, &m));
	if (reading->bad)
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

/* Those that are not in their rows; and the values, now that their bytes have come to rest. */
static int complete_items(struct reading *reading)
{
	struct journal_page *page = reading->page;

	for (size_t i = 0; i < page->count; i++) {
		struct journal_page_item *item = &page->items[i];
		struct row_key key;
		struct row_msg m;
		struct slice row;
		int rc;

		if (item->value.len > 0)
			item->value.data = page->bytes.data + reading->value_at[i];
		rc = store_get(reading->w->store, TABLE_SENT,
		               row_key_pair(&key, page->session_id, item->position), &row);
		if (rc != 0 && rc != -ENOENT)
			return rc;
		item->sent = rc == 0;
		if (item->msg != NULL)
			continue;
		rc = store_get(reading->w->store, TABLE_BODY,
		               row_key_id(&key, reading->body_ids[i]), &row);
		if (rc != 0)
			return rc == -ENOENT ? -EBADMSG : rc;
		if (!row_read_msg(row, &m))
			return -EBADMSG;
		item->msg = make_message(reading, &m);
	}
	return 0;
}

static int read_rows(struct reading *reading)
{
	struct journal_page *page = reading->page;
	struct row_key key;
	int rc = store_scan(reading->w->store, TABLE_QUEUE,
	                    row_key_pair(&key, page->session_id, page->from), visit_row, reading);

	if (rc == 0 && reading->bad)
		rc = -EBADMSG;
	return rc == 0 ? complete_items(reading) : rc;
}

int writer_queue_read_page(struct writer *w, struct journal_page *page)
{
	struct reading reading = {.w = w, .page = page};
	int rc = 0;

	page->more = false;
	page->status = 0;
	if (queue_state_find(w, page->session_id) != NULL)
		rc = read_rows(&reading);
	page->read_to = page->more ? page->items[page->count - 1].position : w->taken_position;
	free(reading.value_at);
	free(reading.body_ids);
	origin_unref(&reading.origin);
	return rc;
}
