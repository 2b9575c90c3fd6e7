/* Records become rows, as record.def says. */
#include "journal/writer_apply.h"

#include "journal/queue_state.h"
#include "journal/writer_queue.h"

typedef void apply_fn(struct writer *w, enum store_table table, struct group_entry *e);

static void apply_put_pair(struct writer *w, enum store_table table, struct group_entry *e)
{
	const struct record *r = &e->record;
	struct row_key key;

	/* A session that has ended leaves nothing. */
	if (queue_state_find(w, r->session_id) != NULL)
		store_put(w->store, table, row_key_pair(&key, r->session_id, r->number), r->value);
}

static void apply_remove_pair(struct writer *w, enum store_table table, struct group_entry *e)
{
	struct row_key key;

	(void)store_delete(w->store, table,
	                   row_key_pair(&key, e->record.session_id, e->record.number));
}

static void apply_remove_id(struct writer *w, enum store_table table, struct group_entry *e)
{
	struct row_key key;

	(void)store_delete(w->store, table, row_key_id(&key, e->record.session_id));
}

static void apply_session(struct writer *w, enum store_table table, struct group_entry *e)
{
	const struct record *r = &e->record;
	struct queue_owner *s = queue_state_touch(w, r->session_id);
	struct row_key key;

	s->now.exists = true;
	s->now.bound_count = r->number;
	s->now.bound_bytes = r->bound_bytes;
	queue_state_find_owner(w, s, r->value);
	store_put(w->store, table, row_key_id(&key, r->session_id), r->value);
}

static void apply_session_end(struct writer *w, enum store_table table, struct group_entry *e)
{
	uint64_t session_id = e->record.session_id;
	struct row_key key;
	struct slice id = row_key_id(&key, session_id);

	if (queue_state_find(w, session_id) == NULL)
		return;
	queue_state_touch(w, session_id)->now = (struct queue_state){0};
	w->ending = true;
	(void)store_delete(w->store, table, id);
	store_put(w->store, TABLE_ENDING, id, SLICE_EMPTY);
}

static void apply_queue(struct writer *w, enum store_table table, struct group_entry *e)
{
	(void)table;
	writer_queue_apply(w, e);
}

static void apply_queue_done(struct writer *w, enum store_table table, struct group_entry *e)
{
	(void)table;
	writer_queue_done(w, e->record.session_id, e->record.number);
}

/* Only for a message that is in the queue. */
static void apply_sent(struct writer *w, enum store_table table, struct group_entry *e)
{
	struct row_key key;
	struct slice row, at = row_key_pair(&key, e->record.session_id, e->record.number);

	if (store_get(w->store, TABLE_QUEUE, at, &row))
		apply_put_pair(w, table, e);
}

static void apply_retained(struct writer *w, enum store_table table, struct group_entry *e)
{
	const struct record *r = &e->record;
	struct row_retained row = {
	    .number = r->number,
	    .has_msg = r->msg != NULL,
	    .value = r->value,
	    .topic = r->name,
	};
	struct row_retained stored;
	struct row_key hash;
	struct slice key = row_key_topic(&hash, r->name), bytes;

	/* A newer change of this topic is there already. */
	if (store_get(w->store, table, key, &bytes) &&
	    store_expect(w->store, row_read_retained(bytes, &stored)) && stored.number > r->number)
		return;
	if (r->msg == NULL && r->value.len == 0) {
		(void)store_delete(w->store, table, key);
		return;
	}
	if (r->msg != NULL)
		row.msg = row_msg_of(r->msg, journal_time_ms(&w->j, r->msg->expires_ms));
	buf_clear(&w->row);
	row_put_retained(&w->row, &row);
	store_put(w->store, table, key, buf_slice(&w->row));
}

static void apply_user(struct writer *w, enum store_table table, struct group_entry *e)
{
	const struct record *r = &e->record;
	struct row_key key;
	struct slice at = row_key_pair(&key, r->session_id, r->number);

	if (r->value.len > 0)
		store_put(w->store, table, at, r->value);
	else
		(void)store_delete(w->store, table, at);
}

/* Its message's expiry is an interval, which begins when the will is published. */
static void apply_will(struct writer *w, enum store_table table, struct group_entry *e)
{
	const struct record *r = &e->record;
	struct row_will row = {
	    .value = r->value,
	    .msg = row_msg_of(r->msg, r->msg->expires_ms),
	};
	struct row_key key;

	buf_clear(&w->row);
	row_put_will(&w->row, &row);
	store_put(w->store, table, row_key_id(&key, r->session_id), buf_slice(&w->row));
}

static const struct {
	apply_fn *apply;
	enum store_table table;
} kinds[RECORD_KINDS] = {
#define RECORD(id, apply, table) [RECORD_##id] = {apply_##apply, TABLE_##table},
#include "journal/record.def"
};

void writer_apply(struct writer *w, struct journal_group *g)
{
	REQUIRE_WRITER(w);
	for (size_t i = 0; i < g->count && store_error(w->store) == 0; i++) {
		struct group_entry *e = &g->entries[i];

		if (e->cancelled)
			continue;
		kinds[e->record.kind].apply(w, kinds[e->record.kind].table, e);
		writer_row_done(w);
	}
}
