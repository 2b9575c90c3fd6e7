/* What must survive is written down here: records of an executor gather in one group, which leaves
 * with the next promise made (keep_commit), before the next message is journaled (keep_append), or
 * at the end of the turn.  Where no journal keeps anything, all of this does nothing.  D1 to D6,
 * design.md section 5.  Thread: the executor of what is kept. */
#ifndef CORE_KEEP_H
#define CORE_KEEP_H

#include "conf/conf.h"
#include "core/deliver.h"
#include "core/session.h"
#include "core/worker.h"

/* Does anything survive at all? */
static inline bool keep_is_on(const struct worker *w)
{
	return w->keeps;
}
bool keep_is_kept(const struct session *s);
/* How lasting messages of this topic are. */
enum conf_durability keep_durability(const struct worker *w, struct slice topic);

/* --- facts; of sessions that are not durable nothing is written --- */
void keep_session(struct session *s);
void keep_session_end(struct session *s);
void keep_subscription(const struct subscription *sub);
void keep_unsubscription(const struct subscription *sub);
/* `hastens`: PUBCOMP waits for it. */
void keep_inbound_done(struct session *s, uint16_t packet_id, bool hastens);
/* position 0: it was never written. */
void keep_queue_done(struct worker *w, uint64_t session_id, uint64_t position);
void keep_sent(struct session *s, const struct outgoing *o);
/* due_ms: monotonic, 0: its client is connected. Of every session, durable or not. */
void keep_will(struct session *s, uint64_t due_ms);
void keep_will_done(struct session *s);
void keep_replay(const struct subscription *sub, uint64_t until);
void keep_replay_done(struct session *s, uint64_t subscription_number);

/* --- groups --- */

/* The message waits for this session: a RECORD_QUEUE. `tell`: deliver_queued hears of it. */
void keep_add_queue(struct worker *w, struct journal_group *group, const struct target_item *item,
                    struct msg *msg, bool tell);

/* A message that is in no queue on disk goes out with QoS 2: with its packet identifier it is kept
 * from now on, as long as it takes. Of one that is in a queue, the identifier. */
void keep_add_sent(struct journal_group *group, const struct session *s, const struct outgoing *o);

/* Append a group of the caller's; the facts gathered so far go before it. */
void keep_append(struct worker *w, struct journal_group **group, enum journal_urgency urgency,
                 uint64_t *first_position);
/* The facts gathered so far are promised by this packet: it leaves when they are durable. Takes
 * over the receipt. */
void keep_commit(struct worker *w, struct receipt **receipt);
/* Somebody else waits for the facts gathered so far. */
void keep_commit_for(struct worker *w, journal_done_fn *done, void *context);
/* The turn ends. */
void keep_flush(struct worker *w);

#endif
