/* A message at its subscriber's home: permitted, wanted, window open? send, or queue.  DESIGN.md
 * section 5, points 10 to 12. Thread: the subscriber's home. */
#ifndef ROUTING_LOCAL_DELIVERY_H
#define ROUTING_LOCAL_DELIVERY_H

#include "journal/journal.h"
#include "routing/publish.h"
#include "session/session.h"
#include "worker/worker.h"

/* How one message goes to one session: its subscriptions' options, merged. */
struct delivery {
	uint8_t qos; /* maximum the subscription takes */
	bool retain; /* the flag as it is to be sent */
	bool
	    paced; /* of a replay, which waits for room itself: the queue's limits are for others */
	uint64_t group_id;
	uint64_t position;           /* in the session's queue on disk, 0: it is not there */
	bool stored;                 /* there already: the store has admitted it */
	struct subscription_ids ids; /* borrowed */
};

/* Deliver to every live subscriber of these filters at this executor. */
void deliver_live(struct worker *w, struct msg *msg, const uint64_t *filter_ids, size_t count);
/* Deliver to one session by id. */
void deliver_target(struct worker *w, struct msg *msg, const struct target_item *item);
/* A queue record is durable, or was refused (journal_queued_fn). */
void deliver_queued(void *executor_arg, const struct record *record, bool kept);

/* Deliver `msg` to this session, now or later: receive ACL of this moment, window, queue.
 * [MQTT-4.5.0-1] Borrows msg (takes its own reference). Never fails: a full queue drops by policy.
 * False: it was not permitted or not possible (a $share message then goes to another member). */
bool session_deliver(struct session *s, struct msg *msg, const struct delivery *d);
/* Send what waits, as far as the window and the backlog allow: what was on the wire before a
 * reconnect first, in order, then what was never sent. [MQTT-4.4.0-1] */
void session_pump(struct session *s);
/* The client has gone: what it was sent is written down, QoS 1 of a $share group goes to another
 * online member; all of it in slices. */
void session_leave_outgoing(struct session *s);
/* It is back: nothing more is given away, and PUBRELs are owed again. */
void session_return_outgoing(struct session *s);
/* The session ends: shared messages go to other members where the standard says so. */
void session_give_shared_away(struct session *s);
/* Free what waits and is on the wire, as far as *steps go. False: there is more. */
bool session_drop_inflight(struct session *s, size_t *steps);

struct fault on_puback(struct client_link *link, const struct frame *f);
struct fault on_pubrec(struct client_link *link, const struct frame *f);
struct fault on_pubcomp(struct client_link *link, const struct frame *f);
struct fault on_subscribe(struct client_link *link, const struct frame *f);
struct fault on_unsubscribe(struct client_link *link, const struct frame *f);

/* --- retained replay (replay.c) --- */
/* From its beginning, whatever the subscription was given before. */
void replay_start(struct session *s, struct subscription *sub, uint64_t until);
/* It was replaced, and asks for no replay: an unfinished one goes on under its new options. */
void replay_go_on(struct session *s, struct subscription *sub);
/* The journal has it, where it is kept. */
void replay_record(const struct subscription *sub);
/* It is unsubscribed. */
void replay_end(struct subscription *sub);
/* It goes with its session: nothing of it is written down. */
void replay_drop(struct subscription *sub);
/* A slice of the session's replays: how many steps it took. */
size_t replay_slice(struct session *s);
/* One that was kept: from its beginning. False: its subscription asks for none that is kept. */
bool replay_restore(struct session *s, struct subscription *sub, uint64_t until);
/* There is space again: go on with it at the turn's end. */
void replay_wake(struct session *s);
/* The client goes away: what is in the queue on disk is left there. */
void replays_page_out(struct session *s);
void replays_free(struct session *s);

/* --- wills (will.c) --- */
/* What one takes of memory with such a message (msg_bytes). */
size_t will_cost(size_t message_bytes);
void will_set(struct session *s, struct msg *msg, uint32_t delay_s);
void will_drop(struct session *s);
/* The broker stops: forgotten here, published by the next start. */
void will_leave(struct session *s);
/* One that was kept; due_ms: monotonic. Takes over msg. */
void will_restore(struct session *s, struct msg *msg, uint32_t delay_s, uint64_t due_ms);
/* Publish it now, if it is (still) permitted. */
void will_fire(struct session *s);

#endif
