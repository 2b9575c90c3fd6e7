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

void record_batch_add(struct worker *w, const struct record *record, bool urgent)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (w->records->group == NULL)
		w->records->group = journal_group_new(NULL, NULL);
	journal_group_add(w->records->group, record);
	w->records->urgent |= urgent;
	w->work += 2;
}

void record_queue_done(struct worker *w, uint64_t session_id, uint64_t position)
{
	struct record record = {
	    .kind = RECORD_QUEUE_DONE, .session_id = session_id, .number = position};

	if (position != 0)
		record_batch_add(w, &record, false);
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

	REQUIRE(item->qos > 0 && msg->qos > 0); /* QoS 0 is never queued on disk */
	memcpy(delivery.tried, item->tried, sizeof(delivery.tried));
	record_put_delivery(&value, &delivery);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

/* --- groups --- */

static void append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                   uint64_t *first_position)
{
	w->work += 2 + journal_group_count(*group);
	journal_append(w->shared->journal, &w->executor, group, urgency, first_position);
}

void record_batch_flush(struct worker *w)
{
	enum journal_urgency urgency = w->records->urgent ? JOURNAL_NOW : JOURNAL_NEXT;
	struct journal_group *group = w->records->group;

	REQUIRE_EXECUTOR(&w->executor);
	*w->records = (struct record_batch){0};
	if (group != NULL)
		append(w, &group, urgency, NULL);
}

void record_batch_append(struct worker *w, struct journal_group **group,
                         enum journal_urgency urgency, uint64_t *first_position)
{
	REQUIRE_EXECUTOR(&w->executor);
	record_batch_flush(w);
	append(w, group, urgency, first_position);
}

void record_batch_commit(struct worker *w, journal_done_fn *done, void *context)
{
	struct journal_group *group = journal_group_new(done, context);

	record_batch_append(w, &group, JOURNAL_NOW, NULL);
}
