/* A record: one state change, as the journal's users describe it. */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/executor.h"
#include "tree/msg.h"

/* The journal does not look into values: it stores them as they are. */
enum record_kind {
#define RECORD(id, ...) RECORD_##id,
#include "journal/record.def"
	RECORD_KINDS,
};

/* Which members a kind has: record.def. */
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
