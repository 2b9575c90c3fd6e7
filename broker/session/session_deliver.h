/* Delivery to a session: check receive permission and window, send or queue; resend after a
 * reconnect. Thread: the session's worker. */
#ifndef SESSION_SESSION_DELIVER_H
#define SESSION_SESSION_DELIVER_H

#include "session/delivery_context.h"
#include "session/inflight/inflight.h"

/* Deliver a message to this session, now or later: receive ACL of this moment, window, queue.
 * [MQTT-4.5.0-1] Borrows it (takes its own reference). Never fails: a full queue drops by policy.
 * False: it was not permitted or not possible (a $share message then goes to another member). */
bool session_deliver(struct session *s, const struct delivery_context *ctx,
                     const struct delivery *d);
/* Send what waits, as far as the window and the output allow: what was on the wire before a
 * reconnect first, in order, then what was never sent. [MQTT-4.4.0-1] */
void session_deliver_waiting(struct session *s);
/* The same as a slice of what the session has left to do: how many steps it took. */
size_t session_deliver_slice(struct session *s);
/* Does its client take values of a replay now? */
bool session_deliver_takes_replay(const struct session *s);
/* There is space again: its replays go on at the turn's end. */
void session_deliver_wake_replay(struct session *s);

#endif
