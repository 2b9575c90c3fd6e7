/* A record: one state change, as the journal's users describe it. */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/executor.h"
#include "tree/msg.h"

/* What a value says is only known to who appends and restores it: the journal stores it as it is.
 */
enum record_kind {
#define RECORD(id, ...) RECORD_##id,
#include "journal/record.def"
#undef RECORD
	RECORD_KINDS,
};

/* Members of each kind:
 *   SESSION         session_id, value; number and bound_bytes: how many messages and bytes its
 * queue may hold from now on (not stored) SESSION_END     session_id: and everything of it is gone
 *   SUBSCRIPTION, UNSUBSCRIPTION
 *                   session_id, number: the subscription's own; value
 *   INBOUND, INBOUND_DONE
 *                   session_id, number: packet identifier of a QoS 2 PUBLISH received
 *   QUEUE           session_id, msg, value; number: its position, given by journal_append;
 * executor: of the session's owner; group_id is passed on, not stored QUEUE_DONE      session_id,
 * number: position: acknowledged or dropped SENT            session_id, number: position (0: of the
 * QUEUE before it in its group); value: of a message sent RETAINED        name: topic; number: of
 * the change; msg (NULL: deleted); value.  One with a lower number than what is known of the topic
 * changes nothing.  Without message and value: nothing is stored of it WILL, WILL_DONE session_id
 * (a session that is not durable has one too); msg, whose expires_ms is an interval; value REPLAY,
 * REPLAY_DONE session_id, number: the subscription's; value */
struct record {
	enum record_kind kind;
	uint64_t session_id;
	uint64_t number;
	union {
		uint64_t group_id;    /* RECORD_QUEUE: of the $share group, 0: none */
		uint64_t bound_bytes; /* RECORD_SESSION */
	};
	struct executor *executor; /* RECORD_QUEUE; NULL: nobody is notified */
	struct slice name;         /* copied by the group */
	struct slice value;        /* copied by the group */
	struct msg *msg;           /* a reference of the group's own */
};

#endif
