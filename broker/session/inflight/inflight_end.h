/* What happens to a session's messages when its client disconnects, and when it ends.  Thread: the
 * session's worker. */
#ifndef SESSION_INFLIGHT_END_H
#define SESSION_INFLIGHT_END_H

#include "session/session.h"

/* Its connection ends, or the broker: what was sent is sent again with the identifier it had, after
 * a restart too. [MQTT-4.4.0-1] (Of QoS 2 that is on disk since before it was sent.) */
void inflight_end_note_sent(struct session *s);
/* The client has gone: what it was sent is written down, QoS 1 of a $share group goes to another
 * online member; all of it in slices. */
void inflight_end_leave(struct session *s);
/* It is back: nothing more is given away, and PUBRELs are owed again. */
void inflight_end_return(struct session *s);
/* The session ends: shared messages go to other members where the standard says so; now that
 * begins, and goes on as far as *steps go. False: there are more. */
void inflight_end_give_shared(struct session *s);
bool inflight_end_give_some(struct session *s, size_t *steps);
/* Free what waits and is on the wire, as far as *steps go. False: there is more. */
bool inflight_end_free_some(struct session *s, size_t *steps);

/* Slices of what a session has left to do: how many steps each took. */
size_t inflight_end_note_slice(struct session *s);
size_t inflight_end_give_slice(struct session *s);

#endif
