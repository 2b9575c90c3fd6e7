/* What is removed in small steps with other commits: rows of sessions that have ended, retained
 * values that have expired, and what the restore dropped. */
#include "journal/writer_expire.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "journal/writer_queue.h"

#define ENDING_ROWS   1000 /* at most, in one transaction */
#define RETAINED_ROWS 4    /* looked at, in one transaction */

/* --- sessions that have ended --- */

static const struct {
	enum store_table table;
	bool is_of_session; /* its rows go with their session */
} tables[] = {
#define TABLE(id, name, rows, ...) {TABLE_##id, ROWS_##rows},
#define ROWS_OF_SESSION            true
#define ROWS_OTHER                 false
#include "store/store_tables.def"
};

struct removal_row {
	uint64_t number;
	bool has_body;
	uint64_t body_id;
};

struct removal {
	struct store *store;
	enum store_table table;
	uint64_t session_id;
	size_t count, max;
	struct removal_row rows[ENDING_ROWS];
};

static bool collect_row(void *arg, struct slice key, struct slice value)
{
	struct removal *r = arg;
	struct row_queue q = {0};
	uint64_t session_id, number;

	if (!row_key_read_pair(key, &session_id, &number) || session_id != r->session_id)
		return false;
	if (r->table == TABLE_QUEUE && !store_expect(r->store, row_read_queue(value, &q)))
		return false;
	if (r->count == r->max)
		return false;
	r->rows[r->count++] =
	    (struct removal_row){.number = number, .has_body = q.has_body, .body_id = q.body_id};
	return true;
}

/* At most *left rows of r->table. */
static void remove_rows(struct writer *w, struct removal *r, size_t *left)
{
	struct row_key key;

	r->count = 0;
	r->max = *left;
	store_scan(w->store, r->table, row_key_pair(&key, r->session_id, 0), collect_row, r);
	for (size_t i = 0; i < r->count; i++) {
		const struct removal_row *row = &r->rows[i];

		(void)store_delete(w->store, r->table,
		                   row_key_pair(&key, r->session_id, row->number));
		if (row->has_body)
			writer_queue_drop_body(w, row->body_id);
		writer_row_done(w);
	}
	*left -= r->count;
}

static bool take_id(void *arg, struct slice key, struct slice value)
{
	uint64_t *id = arg;

	(void)value;
	if (!row_key_read_id(key, id))
		*id = 0;
	return false;
}

static void remove_session(struct writer *w, struct removal *r, size_t *left)
{
	struct row_key key;

	for (size_t i = 0; *left > 0 && i < ARRAY_LEN(tables); i++) {
		r->table = tables[i].table;
		if (tables[i].is_of_session)
			remove_rows(w, r, left);
	}
	/* When the budget is spent there may be more rows. */
	if (*left == 0)
		return;
	--*left;
	(void)store_delete(w->store, TABLE_ENDING, row_key_id(&key, r->session_id));
}

void writer_expire_sessions(struct writer *w)
{
	struct removal *r;
	size_t left = ENDING_ROWS;

	REQUIRE_WRITER(w);
	if (!w->ending)
		return;
	r = xnew(r);
	r->store = w->store;
	while (left > 0 && w->ending) {
		r->session_id = 0;
		store_scan(w->store, TABLE_ENDING, SLICE_EMPTY, take_id, &r->session_id);
		w->ending = r->session_id != 0;
		if (w->ending)
			remove_session(w, r, &left);
	}
	free(r);
}

/* --- retained values that have expired --- */

struct expiry {
	struct writer *w;
	uint64_t time_ms;
	size_t looked_at, count;
	bool cut;
	struct row_key keys[RETAINED_ROWS];
};

bool writer_expire_is_over(const struct writer *w, const struct row_retained *r, uint64_t time_ms)
{
	if (!r->has_msg)
		return w->deleted_is_over != NULL && w->deleted_is_over(r->value, time_ms);
	return time_ms >= r->msg.expires_ms &&
	       time_ms - r->msg.expires_ms >= w->expired_retention_ms;
}

static bool check_retained(void *arg, struct slice key, struct slice value)
{
	struct expiry *x = arg;
	struct writer *w = x->w;
	struct row_retained r;

	if (!store_expect(w->store, key.len == ROW_KEY_BYTES && row_read_retained(value, &r)))
		return false;
	if (x->looked_at++ == RETAINED_ROWS) {
		memcpy(w->retained_at.bytes, key.data, key.len);
		w->retained_at_len = key.len;
		x->cut = true;
		return false;
	}
	if (writer_expire_is_over(w, &r, x->time_ms))
		memcpy(x->keys[x->count++].bytes, key.data, key.len);
	return true;
}

void writer_expire_retained(struct writer *w)
{
	struct expiry x = {.w = w, .time_ms = journal_time_ms(&w->j, w->now_ms)};
	struct row_key at = w->retained_at;

	REQUIRE_WRITER(w);
	store_scan(w->store, TABLE_RETAINED, slice_of(at.bytes, w->retained_at_len), check_retained,
	           &x);
	if (!x.cut)
		w->retained_at_len = 0;
	for (size_t i = 0; i < x.count; i++)
		(void)store_delete(w->store, TABLE_RETAINED,
		                   slice_of(x.keys[i].bytes, ROW_KEY_BYTES));
}

/* --- what the restore dropped --- */

void writer_expire_add_drop(struct writer *w, enum store_table table, struct slice key, bool mark)
{
	struct drop *d;

	REQUIRE(key.len <= ROW_KEY_BYTES);
	array_reserve(w->drops, w->drop_cap, w->drop_count + 1);
	d = &w->drops[w->drop_count++];
	*d = (struct drop){.table = table, .mark = mark, .key_len = (uint8_t)key.len};
	memcpy(d->key.bytes, key.data, key.len);
}

/* Once: with the first transaction. */
void writer_expire_drops(struct writer *w)
{
	REQUIRE_WRITER(w);
	for (size_t i = 0; i < w->drop_count; i++) {
		const struct drop *d = &w->drops[i];
		struct slice key = slice_of(d->key.bytes, d->key_len);

		if (d->mark)
			store_put(w->store, d->table, key, SLICE_EMPTY);
		else
			(void)store_delete(w->store, d->table, key);
	}
}
