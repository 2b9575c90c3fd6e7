/* Records of an executor, gathered into groups. */
#include "durability/record_batch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/record_codec.h"
#include "worker/shared.h"
#include "worker/worker.h"

void record_batch_init(struct worker *w)
{
	w->records = xnew(w->records);
}

void record_batch_fini(struct worker *w)
{
	journal_group_free(w->records->group);
	free(w->records);
}

/* --- gathering --- */

/* `is urgent`: a commit begins at the end of the turn at the latest; else it goes with the next. */
void record_batch_add(struct worker *w, const struct record *record, bool urgent)
{
	if (w->records->group == NULL)
		w->records->group = journal_group_new(NULL, NULL);
	journal_group_add(w->records->group, record);
	w->records->urgent |= urgent;
	w->work += 2;
}

static void add_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	struct record record = {
	    .kind = RECORD_QUEUE_DONE, .session_id = session_id, .number = position};

	record_batch_add(w, &record, false);
}

void record_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	if (position != 0)
		add_queue_done(w, session_id, position);
}

void record_batch_queue(struct worker *w, struct journal_group *group,
                        const struct target_item *item, struct msg *msg, bool report)
{
	struct delivery_record delivery = {.qos = item->qos,
	                                   .retain = item->retain_as_published && msg->retain,
	                                   .ids = item->ids,
	                                   .tried_count = item->tried_count};
	struct record record = {.kind = RECORD_QUEUE,
	                        .session_id = item->session_id,
	                        .group_id = item->group_id,
	                        .executor =
	                            report ? &w->shared->workers[item->executor]->executor : NULL,
	                        .msg = msg};
	struct buf value = {0};

	memcpy(delivery.tried, item->tried, sizeof(delivery.tried));
	record_put_delivery(&value, &delivery);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

/* --- groups --- */

static struct journal_group *take_records(struct worker *w)
{
	struct journal_group *pending_records = w->records->group;

	w->records->group = NULL;
	w->records->urgent = false;
	return pending_records;
}

static void append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                   uint64_t *first_position)
{
	w->work += 2 + journal_group_count(*group);
	journal_append(w->shared->journal, &w->executor, group, urgency, first_position);
}

void record_batch_flush(struct worker *w)
{
	enum journal_urgency urgency = w->records->urgent ? JOURNAL_NOW : JOURNAL_NEXT;
	struct journal_group *pending_records = take_records(w);

	if (pending_records != NULL)
		append(w, &pending_records, urgency, NULL);
}

void record_batch_append(struct worker *w, struct journal_group **group,
                         enum journal_urgency urgency, uint64_t *first_position)
{
	record_batch_flush(w);
	append(w, group, urgency, first_position);
}

void record_batch_commit(struct worker *w, journal_done_fn *done, void *context)
{
	struct journal_group *group = journal_group_new(done, context);

	record_batch_append(w, &group, JOURNAL_NOW, NULL);
}
