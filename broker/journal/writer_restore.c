/* After a start: one pass over each table shows everything to the visitor, and fills in what the
 * writer has to know.  Nothing is changed: rows to be dropped go with the first commit. */
#include "journal/writer_restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "journal/queue_state.h"
#include "journal/writer_expire.h"

#define SENT_AT_ONCE 256

struct sent_row {
	uint64_t session_id, position;
	size_t value_at, value_len;
};

typedef bool pair_fn(void *arg, uint64_t session_id, uint64_t number, struct slice value);

struct restore_walk {
	struct writer *w;
	const struct journal_visitor *visitor;
	void *arg;
	enum store_table table; /* that is being read */
	pair_fn *visit_pair;    /* its visitor, where its keys are session and number */
	struct row_key bad_key;
	size_t bad_key_len;
	uint64_t time_ms;     /* now, as store time */
	struct table ended;   /* sessions whose rows are not shown */
	uint64_t queue_id;    /* of the session whose queue is being counted */
	uint64_t queue_first; /* 0: none */
	struct origin *origin;
	struct sent_row sent[SENT_AT_ONCE];
	size_t sent_count;
	struct buf sent_values, queue_value;
};

/* --- pieces --- */

static bool unreadable(struct restore_walk *r, struct slice key)
{
	(void)store_expect(r->w->store, false);
	r->bad_key_len = key.len < ROW_KEY_BYTES ? key.len : ROW_KEY_BYTES;
	memcpy(r->bad_key.bytes, key.data, r->bad_key_len);
	return false;
}

static void add_ended(struct restore_walk *r, uint64_t id)
{
	r->w->ending = true;
	table_add(&r->ended, hash_id(id), r->w);
}

/* Its rows are removed from now on. */
static void end_session(struct restore_walk *r, uint64_t id)
{
	struct row_key key;

	add_ended(r, id);
	writer_expire_add_drop(r->w, TABLE_ENDING, row_key_id(&key, id), true);
}

/* Is this session there?  Rows that belong to none are removed. */
static bool is_there(struct restore_walk *r, uint64_t id)
{
	if (queue_state_find(r->w, id) != NULL)
		return true;
	if (table_find(&r->ended, hash_id(id), NULL, NULL) == NULL)
		end_session(r, id);
	return false;
}

static void drop_unless(struct restore_walk *r, bool stays, struct slice key)
{
	if (!stays)
		writer_expire_add_drop(r->w, r->table, key, false);
}

static struct msg *make_message(struct restore_walk *r, const struct row_msg *m)
{
	return row_msg_new(m, journal_monotonic_ms(&r->w->j, m->expires_ms), &r->origin);
}

/* --- tables --- */

static bool on_user(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	uint64_t id, name_hash;

	if (!row_key_read_pair(key, &id, &name_hash))
		return unreadable(r, key);
	drop_unless(r, r->visitor->user(r->arg, id, name_hash, value), key);
	return true;
}

static bool on_retained(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	struct row_retained row;
	struct msg *m = NULL;
	bool stays;

	if (!row_read_retained(value, &row))
		return unreadable(r, key);
	if (row.has_msg)
		m = make_message(r, &row.msg);
	stays = !writer_expire_is_over(r->w, &row, r->time_ms) &&
	        r->visitor->retained(r->arg, row.topic, row.number, m, row.value);
	drop_unless(r, stays, key);
	msg_unref(&m);
	return true;
}

static bool on_ending(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	uint64_t id;

	(void)value;
	if (!row_key_read_id(key, &id))
		return unreadable(r, key);
	add_ended(r, id);
	return true;
}

static bool on_session(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	uint64_t id;

	if (!row_key_read_id(key, &id))
		return unreadable(r, key);
	if (table_find(&r->ended, hash_id(id), NULL, NULL) != NULL) {
		drop_unless(r, false, key);
	} else if (!r->visitor->session(r->arg, id, value)) {
		drop_unless(r, false, key);
		end_session(r, id);
	} else {
		queue_state_touch(r->w, id)->now = (struct queue_state){
		    .exists = true, .bound_count = UINT64_MAX, .bound_bytes = UINT64_MAX};
		/* mutant: store_share_restored */
		queue_state_find_owner(r->w, queue_state_find(r->w, id), value);
	}
	return true;
}

static bool on_pair(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	uint64_t id, number;

	if (!row_key_read_pair(key, &id, &number) ||
	    (r->table == TABLE_INBOUND && number > UINT16_MAX))
		return unreadable(r, key);
	if (is_there(r, id))
		drop_unless(r, r->visit_pair(r->arg, id, number, value), key);
	return true;
}

static bool on_will(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	struct row_will row;
	struct msg *m;
	uint64_t id;

	if (!row_key_read_id(key, &id) || !row_read_will(value, &row))
		return unreadable(r, key);
	m = row_msg_new(&row.msg, row.msg.expires_ms, &r->origin);
	drop_unless(r, r->visitor->will(r->arg, id, m, row.value), key);
	msg_unref(&m);
	return true;
}

/* --- queues: counted, not read --- */

static void show_queue(struct restore_walk *r)
{
	const struct queue_owner *s = queue_state_find(r->w, r->queue_id);

	if (r->queue_first != 0)
		r->visitor->queue(r->arg, s->id, s->now.count, s->now.bytes, r->queue_first);
	r->queue_first = 0;
}

static bool on_queue(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	struct queue_owner *s;
	struct row_queue row;
	uint64_t id, position;

	if (!row_key_read_pair(key, &id, &position) || !row_read_queue(value, &row))
		return unreadable(r, key);
	if (position >= r->w->j.next_position)
		r->w->j.next_position = position + 1;
	if (r->queue_first != 0 && id != r->queue_id)
		show_queue(r);
	if (!is_there(r, id))
		return true;
	if (r->queue_first == 0) {
		r->queue_id = id;
		r->queue_first = position;
	}
	s = queue_state_find(r->w, id);
	s->now.count++;
	s->now.bytes += row.bytes;
	queue_state_charge(r->w, s);
	return true;
}

/* --- sent: in portions, each with its row of the queue --- */

static bool on_sent(void *arg, struct slice key, struct slice value)
{
	struct restore_walk *r = arg;
	struct sent_row *row = &r->sent[r->sent_count];

	if (r->sent_count == SENT_AT_ONCE)
		return false;
	if (!row_key_read_pair(key, &row->session_id, &row->position))
		return unreadable(r, key);
	row->value_at = r->sent_values.len;
	row->value_len = value.len;
	buf_put_slice(&r->sent_values, value);
	r->sent_count++;
	return true;
}

/* The message of a row of the queue, and the row's value: what it borrows from lives until the next
 * read.  False: there is no such row, or it is damaged. */
static bool find_message(struct restore_walk *r, struct slice key, struct row_msg *message)
{
	struct store *store = r->w->store;
	struct row_key body;
	struct row_queue q;
	struct slice row;
	bool found = true;

	if (!store_get(store, TABLE_QUEUE, key, &row) ||
	    !store_expect(store, row_read_queue(row, &q)))
		return false;
	buf_clear(&r->queue_value);
	buf_put_slice(&r->queue_value, q.value);
	row = q.message;
	if (q.has_body)
		found = store_get(store, TABLE_BODY, row_key_id(&body, q.body_id), &row);
	return store_expect(store, found && row_read_msg(row, message));
}

static void show_sent(struct restore_walk *r, const struct sent_row *sent)
{
	struct row_key key;
	struct slice at = row_key_pair(&key, sent->session_id, sent->position), value = SLICE_EMPTY;
	struct row_msg message;
	struct msg *m;
	bool stays;

	if (!is_there(r, sent->session_id))
		return;
	if (!find_message(r, at, &message)) {
		drop_unless(r, false, at);
		return;
	}
	if (sent->value_len > 0)
		value = slice_of(r->sent_values.data + sent->value_at, sent->value_len);
	m = make_message(r, &message);
	stays = r->visitor->sent(r->arg, sent->session_id, sent->position, m,
	                         buf_slice(&r->queue_value), value);
	drop_unless(r, stays, at);
	msg_unref(&m);
}

static void restore_sent(struct restore_walk *r)
{
	struct row_key key;
	struct slice from = SLICE_EMPTY;

	do {
		r->sent_count = 0;
		buf_clear(&r->sent_values);
		store_scan(r->w->store, TABLE_SENT, from, on_sent, r);
		for (size_t i = 0; i < r->sent_count && store_error(r->w->store) == 0; i++)
			show_sent(r, &r->sent[i]);
		if (r->sent_count > 0) {
			const struct sent_row *last = &r->sent[r->sent_count - 1];

			from = row_key_pair(&key, last->session_id, last->position + 1);
		}
	} while (r->sent_count == SENT_AT_ONCE && store_error(r->w->store) == 0);
}

/* --- all of it --- */

static void restore_queue(struct restore_walk *r)
{
	store_scan(r->w->store, TABLE_QUEUE, SLICE_EMPTY, on_queue, r);
	if (store_error(r->w->store) == 0)
		show_queue(r);
}

static void restore_position(struct restore_walk *r)
{
	struct slice value;
	uint64_t position;

	if (!store_get(r->w->store, TABLE_META, WRITER_ROW_POSITION, &value) ||
	    !store_expect(r->w->store, row_key_read_id(value, &position)))
		return;
	if (position >= r->w->j.next_position)
		r->w->j.next_position = position + 1;
}

static void restore_rows(struct restore_walk *r, store_visit_fn *visit)
{
	store_scan(r->w->store, r->table, SLICE_EMPTY, visit, r);
}

static void restore_pairs(struct restore_walk *r, pair_fn *visit)
{
	r->visit_pair = visit;
	restore_rows(r, on_pair);
}

static void restore_table(struct restore_walk *r)
{
	switch (r->table) {
#define ROWS_EACH(name)  restore_rows(r, on_##name)
#define ROWS_OWN(name)   restore_##name(r)
#define ROWS_PAIRS(name) restore_pairs(r, r->visitor->name)
#define VISITOR(table, rows, result, name, arguments)                                              \
	case TABLE_##table:                                                                        \
		ROWS_##rows(name);                                                                 \
		return;
#include "journal/record.def"
	case TABLE_META:
		restore_position(r);
		return;
	case TABLE_ENDING:
		restore_rows(r, on_ending);
		return;
	case TABLE_BODY: /* read with the rows that name it */
	case TABLE_BODY_REFS:
		return;
	case TABLES:
		break;
	}
	UNREACHABLE();
}

static void explain(const struct restore_walk *r, int rc, char *text)
{
	char key[2 * ROW_KEY_BYTES + 1] = "";

	for (size_t i = 0; i < r->bad_key_len; i++)
		snprintf(key + 2 * i, 3, "%02x", (unsigned)r->bad_key.bytes[i]);
	if (rc == -EBADMSG)
		snprintf(text, STORE_ERROR_TEXT,
		         "the store is damaged: a row of table %s%s%s cannot be read; "
		         "run broker-store check, and restore a backup",
		         store_tables_name(r->table), key[0] == '\0' ? "" : ", key ", key);
	else
		snprintf(text, STORE_ERROR_TEXT, "the store cannot be read: %s",
		         strerrordesc_np(-rc));
}

int writer_restore(struct journal *j, const struct journal_visitor *visitor, void *arg, char *text)
{
	static const enum store_table order[] = {
	    TABLE_META,
	    TABLE_ENDING,
#define VISITOR(table, rows, result, name, arguments) TABLE_##table,
#include "journal/record.def"
	    TABLE_BODY,
	    TABLE_BODY_REFS,
	};
	_Static_assert(ARRAY_LEN(order) == TABLES, "each table is restored");
	struct writer *w = (struct writer *)j;
	struct restore_walk *r = xnew(r);
	int rc;

	REQUIRE(!w->started && w->sessions.count == 0); /* once, and before anything is written */
	r->w = w;
	r->visitor = visitor;
	r->arg = arg;
	r->time_ms = journal_time_ms(j, clock_monotonic_ms());
	store_begin(w->store);
	for (unsigned i = 0; i < TABLES && store_error(r->w->store) == 0; i++) {
		r->table = order[i];
		restore_table(r);
	}
	rc = store_commit(w->store); /* which has nothing to write */
	if (rc != 0)
		explain(r, rc, text);
	store_release(w->store);
	queue_state_settle(w);
	table_fini(&r->ended);
	origin_unref(&r->origin);
	buf_fini(&r->sent_values);
	buf_fini(&r->queue_value);
	free(r);
	return rc;
}
