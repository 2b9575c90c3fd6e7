/* What the journal has of a session: recorded here whenever it changes.  Of sessions that are
 * not durable nothing is written, except their wills.  Thread: the session's worker. */
#ifndef SESSION_SESSION_JOURNAL_H
#define SESSION_SESSION_JOURNAL_H

#include "journal/journal_ops.h"
#include "session/session.h"

bool session_journal_is_on(const struct session *s);

void session_journal_state(struct session *s);
void session_journal_end(struct session *s);
void session_journal_subscription(const struct subscription *sub);
void session_journal_unsubscription(const struct subscription *sub);
/* A QoS 2 identifier that goes with no message: PUBREC waits for it. */
void session_journal_inbound(struct session *s, uint16_t packet_id);
/* `urgent`: PUBCOMP waits for it. */
void session_journal_inbound_done(struct session *s, uint16_t packet_id, bool urgent);
void session_journal_inflight(struct session *s, const struct inflight *o);
/* due_ms: monotonic, 0: its client is connected. Of every session, durable or not. */
void session_journal_will(struct session *s, uint64_t due_ms);
void session_journal_will_done(struct session *s);
void session_journal_replay(const struct subscription *sub, uint64_t until);
void session_journal_replay_done(struct session *s, uint64_t subscription_number);

/* A message that is in no queue on disk goes out with QoS 2: with its packet identifier it is
 * stored from now on, as long as it takes. Of one that is in a queue, the identifier. */
void session_journal_add_inflight(struct journal_group *group, const struct session *s,
                                  const struct inflight *o);

#endif
