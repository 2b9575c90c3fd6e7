/* A record: one state change, as the journal's users describe it. */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/executor.h"
#include "tree/msg.h"

/* What a value says is the core's own: the store keeps it as it is. */
enum record_kind {
	RECORD_SESSION,        /* session_id, value; number and bound_bytes: how many messages and
	                          bytes its queue may hold from now on (not kept) */
	RECORD_SESSION_END,    /* session_id: and everything of it is gone */
	RECORD_SUBSCRIPTION,   /* session_id, number: the subscription's own; value */
	RECORD_UNSUBSCRIPTION, /* session_id, number */
	RECORD_INBOUND, /* session_id, number: packet identifier of a QoS 2 PUBLISH received */
	RECORD_INBOUND_DONE,
	RECORD_QUEUE,      /* session_id, msg, value; number: its position, given by journal_append;
	                      home: where the session lives; group_id is told on, not kept */
	RECORD_QUEUE_DONE, /* session_id, number: position: acknowledged or dropped */
	RECORD_SENT,       /* session_id, number: position (0: of the RECORD_QUEUE before it in its
	                      group); value: of a message sent */
	RECORD_RETAINED,   /* name: topic; number: of the change; msg (NULL: deleted); value.  One
	                      with   a lower number than what is known of the topic changes nothing.
	                      NULL and   an empty value: nothing is kept of it */
	RECORD_WILL, /* session_id (a session that is not kept has one too); msg, whose expires_ms
	                is an interval; value */
	RECORD_WILL_DONE,
	RECORD_REPLAY, /* session_id, number: the subscription's; value */
	RECORD_REPLAY_DONE,
	RECORD_KINDS,
};

struct record {
	enum record_kind kind;
	uint64_t session_id;
	uint64_t number;
	union {
		uint64_t group_id;    /* RECORD_QUEUE: of the $share group, 0: none */
		uint64_t bound_bytes; /* RECORD_SESSION */
	};
	struct executor *executor; /* RECORD_QUEUE; NULL: nobody is told */
	struct slice name;         /* copied by the group */
	struct slice value;        /* copied by the group */
	struct msg *msg;           /* a reference of the group's own */
};

#endif
