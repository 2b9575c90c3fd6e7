/* What must survive is written down here: the records of a worker gather in one group, which leaves
 * with the next promise made, before the next message is journaled (record_batch_append), or at the
 * end of the turn.  Where no journal keeps anything, all of this does nothing.  Thread: the
 * worker's. */
#ifndef DURABILITY_RECORD_BATCH_H
#define DURABILITY_RECORD_BATCH_H

#include "durability/delivery_target.h"
#include "journal/journal_types.h"
#include "journal/record.h"
#include "tree/msg.h"
#include "worker/worker.h"

/* The records of a worker that are not appended yet. */
struct record_batch {
	struct journal_group *group; /* NULL: none */
	bool urgent;
};

void record_batch_init(struct worker *w);
void record_batch_fini(struct worker *w);
static inline bool record_batch_is_pending(const struct worker *w)
{
	return w->records->group != NULL;
}

/* `urgent`: a commit begins at the end of the turn at the latest; else it goes with the next. */
void record_batch_add(struct worker *w, const struct record *record, bool urgent);
/* A message leaves the queue of a session. Position 0: it was never written. */
void record_queue_done(struct worker *w, uint64_t session_id, uint64_t position);

/* The message waits for this session: a RECORD_QUEUE. `report`: the session's worker hears of it
 * (journal_on_queued). */
void record_batch_queue(struct worker *w, struct journal_group *group,
                        const struct target_item *item, struct msg *msg, bool report);
/* Append a group of the caller's; the records gathered so far go before it. */
void record_batch_append(struct worker *w, struct journal_group **group,
                         enum journal_urgency urgency, uint64_t *first_position);
/* Somebody waits for the records gathered so far. */
void record_batch_commit(struct worker *w, journal_done_fn *done, void *context);
/* The turn ends. */
void record_batch_flush(struct worker *w);

#endif
