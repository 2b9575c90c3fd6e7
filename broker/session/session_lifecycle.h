/* Sessions begin, wait for their clients, and end.  Thread: the session's worker. */
#ifndef SESSION_SESSION_LIFECYCLE_H
#define SESSION_SESSION_LIFECYCLE_H

#include "session/session.h"

/* `payer`: that of its user, a reference that it takes over. */
struct session *session_lifecycle_new(struct worker *w, struct identity *identity,
                                      const struct session_key *key, bool durable,
                                      struct payer *payer);

/* One that was kept, under the id it had; in the tables, away, with nothing in it yet. */
struct session *session_lifecycle_restore(struct worker *w, uint64_t id, struct identity *identity,
                                          const struct session_key *key);
/* A connection has come: timers stop, its groups learn it. */
void session_lifecycle_attach(struct session *s);
/* Make what the session has promised durable, then send this packet. Takes over the
 * acknowledgement. */
void session_lifecycle_commit(struct session *s, struct pending_ack **pending_ack);

/* A new Session Expiry Interval, within limits.max_session_expiry. */
void session_lifecycle_set_expiry(struct session *s, uint32_t expiry_s,
                                  const struct conf_limits *limits);

/* Is its user still in the password file? Sessions of a removed user go a day later, unless the
 * same entry comes back. */
void session_lifecycle_check_removal(struct session *s);

/* It is away: it ends by itself when its time has come. */
void session_lifecycle_arm_expiry(struct session *s);
/* The connection has gone: the session ends, or waits for its client. Its will is published,
 * delayed, or dropped. False: it has ended, and is gone. */
bool session_lifecycle_detach(struct session *s, bool publish_will);
/* End the session with its subscriptions and queues. A pending will is published. */
void session_lifecycle_end(struct session *s);
/* If one of this key has ended and gives messages away: all of them, at once. */
void session_lifecycle_finish(struct worker *w, const struct session_key *key);
/* Free an ended session as far as *steps go. True: it is freed. */
bool session_lifecycle_free_some(struct session *s, size_t *steps);
/* Everything is freed and nothing is published: the broker stops. */
void session_lifecycle_free(struct session *s);

void session_lifecycle_init(struct worker *w);
/* They are freed already. */
void session_lifecycle_fini(struct worker *w);

#endif
