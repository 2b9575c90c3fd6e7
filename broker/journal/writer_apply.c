/* Records become rows: one function for each kind. */
#include "journal/writer_apply.h"

#include <errno.h>

#include "journal/queue_state.h"
#include "journal/writer_queue.h"

typedef int apply_fn(struct writer *w, const struct record *r);

static int put_pair(struct writer *w, enum store_table table, const struct record *r)
{
	struct row_key key;

	/* Nothing may outlive its session. */
	if (queue_state_find(w, r->session_id) == NULL)
		return 0;
	return writer_put(w, table, row_key_pair(&key, r->session_id, r->number), r->value);
}

static int remove_pair(struct writer *w, enum store_table table, const struct record *r)
{
	struct row_key key;

	return writer_remove(w, table, row_key_pair(&key, r->session_id, r->number));
}

static int apply_session(struct writer *w, const struct record *r)
{
	struct queue_owner *s = queue_state_touch(w, r->session_id);
	struct row_key key;

	s->now.exists = true;
	s->now.bound_count = r->number;
	s->now.bound_bytes = r->bound_bytes;
	queue_state_find_owner(w, s, r->value);
	return writer_put(w, TABLE_SESSION, row_key_id(&key, r->session_id), r->value);
}

static int apply_session_end(struct writer *w, const struct record *r)
{
	struct row_key key;
	struct slice id = row_key_id(&key, r->session_id);
	int rc;

	if (queue_state_find(w, r->session_id) == NULL)
		return 0;
	queue_state_touch(w, r->session_id)->now = (struct queue_state){0};
	w->ending = true;
	rc = writer_remove(w, TABLE_SESSION, id);
	return rc == 0 ? writer_put(w, TABLE_ENDING, id, SLICE_EMPTY) : rc;
}

static int apply_subscription(struct writer *w, const struct record *r)
{
	return put_pair(w, TABLE_SUBSCRIPTION, r);
}

static int apply_unsubscription(struct writer *w, const struct record *r)
{
	return remove_pair(w, TABLE_SUBSCRIPTION, r);
}

static int apply_inbound(struct writer *w, const struct record *r)
{
	return put_pair(w, TABLE_INBOUND, r);
}

static int apply_inbound_done(struct writer *w, const struct record *r)
{
	return remove_pair(w, TABLE_INBOUND, r);
}

static int apply_queue_done(struct writer *w, const struct record *r)
{
	return writer_queue_done(w, r->session_id, r->number);
}

/* Only of what is in the queue. */
static int apply_sent(struct writer *w, const struct record *r)
{
	struct row_key key;
	struct slice row;
	int rc =
	    store_get(w->store, TABLE_QUEUE, row_key_pair(&key, r->session_id, r->number), &row);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	return put_pair(w, TABLE_SENT, r);
}

/* Is a newer change of this topic there already? */
static int find_newer(struct writer *w, struct slice key, uint64_t number, bool *newer)
{
	struct row_retained stored;
	struct slice row;
	int rc = store_get(w->store, TABLE_RETAINED, key, &row);

	*newer = false;
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	if (!row_read_retained(row, &stored))
		return -EBADMSG;
	*newer = stored.number > number;
	return 0;
}

static int apply_retained(struct writer *w, const struct record *r)
{
	struct row_retained row = {
	    .number = r->number,
	    .has_msg = r->msg != NULL,
	    .value = r->value,
	    .topic = r->name,
	};
	struct row_key hash;
	struct slice key = row_key_topic(&hash, r->name);
	bool newer;
	int rc = find_newer(w, key, r->number, &newer);

	if (rc != 0 || newer)
		return rc;
	if (r->msg == NULL && r->value.len == 0)
		return writer_remove(w, TABLE_RETAINED, key);
	if (r->msg != NULL)
		row.msg = row_msg_of(r->msg, journal_time_ms(&w->j, r->msg->expires_ms));
	buf_clear(&w->row);
	row_put_retained(&w->row, &row);
	return writer_put(w, TABLE_RETAINED, key, buf_slice(&w->row));
}

/* Its message's expiry is an interval, which begins when the will is published. */
static int apply_will(struct writer *w, const struct record *r)
{
	struct row_will row = {
	    .value = r->value,
	    .msg = row_msg_of(r->msg, r->msg->expires_ms),
	};
	struct row_key key;

	buf_clear(&w->row);
	row_put_will(&w->row, &row);
	return writer_put(w, TABLE_WILL, row_key_id(&key, r->session_id), buf_slice(&w->row));
}

static int apply_will_done(struct writer *w, const struct record *r)
{
	struct row_key key;

	return writer_remove(w, TABLE_WILL, row_key_id(&key, r->session_id));
}

static int apply_replay(struct writer *w, const struct record *r)
{
	return put_pair(w, TABLE_REPLAY, r);
}

static int apply_replay_done(struct writer *w, const struct record *r)
{
	return remove_pair(w, TABLE_REPLAY, r);
}

/* RECORD_QUEUE is writer_queue_apply's: several share a message. */
static apply_fn *const appliers[RECORD_KINDS] = {
    [RECORD_SESSION] = apply_session,           [RECORD_SESSION_END] = apply_session_end,
    [RECORD_SUBSCRIPTION] = apply_subscription, [RECORD_UNSUBSCRIPTION] = apply_unsubscription,
    [RECORD_INBOUND] = apply_inbound,           [RECORD_INBOUND_DONE] = apply_inbound_done,
    [RECORD_QUEUE_DONE] = apply_queue_done,     [RECORD_SENT] = apply_sent,
    [RECORD_RETAINED] = apply_retained,         [RECORD_WILL] = apply_will,
    [RECORD_WILL_DONE] = apply_will_done,       [RECORD_REPLAY] = apply_replay,
    [RECORD_REPLAY_DONE] = apply_replay_done,
};

int writer_apply(struct writer *w, struct journal_group *g)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->count;) {
		const struct entry *e = &g->entries[i];

		if (e->record.kind == RECORD_QUEUE) {
			rc = writer_queue_apply(w, g, &i);
			continue;
		}
		if (!e->cancelled)
			rc = appliers[e->record.kind](w, &e->record);
		i++;
	}
	return rc;
}
