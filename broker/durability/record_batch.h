/* What must survive is written down here: records of an executor gather in one group, which leaves
 * with the next promise made (record_batch_commit), before the next message is journaled
 * (record_batch_append), or at the end of the turn.  Where no journal keeps anything, all of this
 * does nothing.  D1 to D6, DESIGN.md section 5.  Thread: the executor of what is kept. */
#ifndef DURABILITY_RECORD_BATCH_H
#define DURABILITY_RECORD_BATCH_H

#include "conf/conf.h"
#include "journal/journal.h"
#include "routing/local_delivery.h"
#include "session/pending_ack.h"
#include "session/session.h"
#include "worker/worker.h"

/* Does anything survive at all? */
static inline bool journal_is_on(const struct worker *w)
{
	return w->is_durable;
}
bool session_is_recorded(const struct session *s);
/* How lasting messages of this topic are. */
enum conf_durability topic_durability(const struct worker *w, struct slice topic);

/* --- records; of sessions that are not durable nothing is written --- */
void record_session(struct session *s);
void record_session_end(struct session *s);
void record_subscription(const struct subscription *sub);
void record_unsubscription(const struct subscription *sub);
/* `is urgent`: PUBCOMP waits for it. */
void record_inbound_done(struct session *s, uint16_t packet_id, bool urgent);
/* position 0: it was never written. */
void record_queue_done(struct worker *w, uint64_t session_id, uint64_t position);
void record_inflight(struct session *s, const struct inflight *o);
/* due_ms: monotonic, 0: its client is connected. Of every session, durable or not. */
void record_will(struct session *s, uint64_t due_ms);
void record_will_done(struct session *s);
void record_replay(const struct subscription *sub, uint64_t until);
void record_replay_done(struct session *s, uint64_t subscription_number);

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

/* --- groups --- */

/* The message waits for this session: a RECORD_QUEUE. `tell`: deliver_queued hears of it. */
void record_batch_queue(struct worker *w, struct journal_group *group,
                        const struct target_item *item, struct msg *msg, bool report);

/* A message that is in no queue on disk goes out with QoS 2: with its packet identifier it is kept
 * from now on, as long as it takes. Of one that is in a queue, the identifier. */
void record_batch_inflight(struct journal_group *group, const struct session *s,
                           const struct inflight *o);

/* Append a group of the caller's; the records gathered so far go before it. */
void record_batch_append(struct worker *w, struct journal_group **group,
                         enum journal_urgency urgency, uint64_t *first_position);
/* The records gathered so far are promised by this packet: it leaves when they are durable. Takes
 * over the acknowledgement. */
void record_batch_commit(struct worker *w, struct pending_ack **pending_ack);
/* Somebody else waits for the records gathered so far. */
void record_batch_commit_for(struct worker *w, journal_done_fn *done, void *context);
/* The turn ends. */
void record_batch_flush(struct worker *w);

#endif
