/* What goes bit by bit with other commits: rows of sessions that have ended, retained values that
 * have expired; and what the restore dropped. */
#include "journal/writer_expire.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "journal/writer_queue.h"

#define ENDING_ROWS   1000 /* at most, in one transaction */
#define RETAINED_ROWS 4    /* looked at, in one transaction */

/* --- sessions that have ended --- */

static const enum store_table swept[] = {TABLE_SUBSCRIPTION, TABLE_INBOUND, TABLE_REPLAY,
                                         TABLE_SENT, TABLE_QUEUE};
#define SWEPT (sizeof(swept) / sizeof(swept[0]))

struct swept_row {
	uint64_t number;
	bool has_body;
	uint64_t body_id;
};

struct sweep {
	enum store_table table;
	uint64_t session_id;
	size_t count, max;
	bool bad;
	struct swept_row rows[ENDING_ROWS];
};

static bool collect(void *arg, struct slice key, struct slice value)
{
	struct sweep *s = arg;
	struct row_queue q = {0};
	uint64_t session_id, number;

	if (!row_key_read_pair(key, &session_id, &number) || session_id != s->session_id)
		return false;
	s->bad = s->table == TABLE_QUEUE && !row_read_queue(value, &q);
	if (s->bad || s->count == s->max)
		return false;
	s->rows[s->count++] =
	    (struct swept_row){.number = number, .has_body = q.has_body, .body_id = q.body_id};
	return true;
}

static int remove_collected(struct writer *w, const struct sweep *s)
{
	struct row_key key;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		const struct swept_row *row = &s->rows[i];

		rc = writer_remove(w, s->table, row_key_pair(&key, s->session_id, row->number));
		if (rc == 0 && row->has_body)
			rc = writer_queue_drop_body(w, row->body_id);
	}
	return rc;
}

/* At most *left rows of s->table. */
static int sweep_table(struct writer *w, struct sweep *s, size_t *left)
{
	struct row_key key;
	int rc;

	s->count = 0;
	s->max = *left;
	rc = store_scan(w->store, s->table, row_key_pair(&key, s->session_id, 0), collect, s);
	if (rc == 0 && s->bad)
		rc = -EBADMSG;
	if (rc == 0)
		rc = remove_collected(w, s);
	*left -= s->count;
	return rc;
}

static bool take_id(void *arg, struct slice key, struct slice value)
{
	uint64_t *id = arg;

	(void)value;
	if (!row_key_read_id(key, id))
		*id = 0;
	return false;
}

/* *id: of some session that has ended; 0: there is none. */
static int find_ended(struct writer *w, uint64_t *id)
{
	*id = 0;
	return store_scan(w->store, TABLE_ENDING, SLICE_EMPTY, take_id, id);
}

static int sweep_session(struct writer *w, struct sweep *s, size_t *left)
{
	struct row_key key;
	int rc = 0;

	for (size_t i = 0; rc == 0 && *left > 0 && i < SWEPT; i++) {
		s->table = swept[i];
		rc = sweep_table(w, s, left);
	}
	/* With nothing left of the budget there may be more rows. */
	if (rc != 0 || *left == 0)
		return rc;
	--*left;
	return writer_remove(w, TABLE_ENDING, row_key_id(&key, s->session_id));
}

int writer_expire_sessions(struct writer *w)
{
	struct sweep *s;
	size_t left = ENDING_ROWS;
	int rc = 0;

	if (!w->ending)
		return 0;
	s = xnew(s);
	while (rc == 0 && left > 0 && w->ending) {
		rc = find_ended(w, &s->session_id);
		if (rc == 0 && s->session_id == 0)
			w->ending = false;
		else if (rc == 0)
			rc = sweep_session(w, s, &left);
	}
	free(s);
	return rc;
}

/* --- retained values that have expired --- */

struct expiry {
	struct writer *w;
	uint64_t time_ms;
	size_t looked_at, count;
	bool bad, cut;
	struct row_key keys[RETAINED_ROWS];
};

bool writer_expire_is_over(const struct writer *w, const struct row_retained *r, uint64_t time_ms)
{
	if (!r->has_msg)
		return w->deleted_is_over != NULL && w->deleted_is_over(r->value, time_ms);
	return time_ms >= r->msg.expires_ms &&
	       time_ms - r->msg.expires_ms >= w->expired_retention_ms;
}

static bool look_at(void *arg, struct slice key, struct slice value)
{
	struct expiry *x = arg;
	struct writer *w = x->w;
	struct row_retained r;

	if (key.len != ROW_KEY_BYTES || !row_read_retained(value, &r)) {
		x->bad = true;
		return false;
	}
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

int writer_expire_retained(struct writer *w)
{
	struct expiry x = {.w = w, .time_ms = journal_time_ms(&w->j, w->now_ms)};
	struct row_key at = w->retained_at;
	int rc = store_scan(w->store, TABLE_RETAINED, slice_of(at.bytes, w->retained_at_len),
	                    look_at, &x);

	if (rc == 0 && x.bad)
		rc = -EBADMSG;
	if (!x.cut)
		w->retained_at_len = 0;
	for (size_t i = 0; rc == 0 && i < x.count; i++)
		rc = writer_remove(w, TABLE_RETAINED, slice_of(x.keys[i].bytes, ROW_KEY_BYTES));
	return rc;
}

/* --- what the restore dropped --- */

void writer_expire_add_drop(struct writer *w, enum store_table table, struct slice key, bool mark)
{
	struct drop *d;

	REQUIRE(key.len <= ROW_KEY_BYTES);
	if (w->drop_count == w->drop_cap) {
		w->drop_cap = w->drop_cap == 0 ? 16 : w->drop_cap * 2;
		w->drops = xrealloc_array(w->drops, w->drop_cap, sizeof(*w->drops));
	}
	d = &w->drops[w->drop_count++];
	*d = (struct drop){.table = table, .mark = mark, .key_len = (uint8_t)key.len};
	memcpy(d->key.bytes, key.data, key.len);
}

/* Once: with the first transaction. */
int writer_expire_drops(struct writer *w)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->drop_count; i++) {
		const struct drop *d = &w->drops[i];
		struct slice key = slice_of(d->key.bytes, d->key_len);

		rc = d->mark ? writer_put(w, d->table, key, SLICE_EMPTY)
		             : writer_remove(w, d->table, key);
	}
	return rc;
}
