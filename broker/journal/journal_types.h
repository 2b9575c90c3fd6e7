/* Types that the journal's interface and its implementations share. */
#ifndef JOURNAL_JOURNAL_TYPES_H
#define JOURNAL_JOURNAL_TYPES_H

#include "base/latency.h"
#include "journal/record.h"

struct journal;
struct journal_group;

enum journal_urgency {
	/* A commit begins at once, or as soon as the one under way has ended. */
	JOURNAL_NOW,
	/* Goes with the next commit, at the latest at the end of the interval. */
	JOURNAL_NEXT,
	/* At the end of the interval: queue records that are done before then are not written, nor
	 * any but the newest retained change of a topic. */
	JOURNAL_INTERVAL,
};

/* --- callbacks --- */

/* Runs on the executor that appended, entered; the group is freed after it. */
typedef void journal_done_fn(struct journal_group *group, int status, void *executor_arg);

enum queue_outcome {
	QUEUE_NOT_STORED, /* its session has ended, or the message no longer needs the store */
	QUEUE_STORED,
	QUEUE_FULL,       /* it, */
	QUEUE_SHARE_FULL, /* or its user's share of the store */
};

/* A RECORD_QUEUE of a group appended with JOURNAL_NOW is durable, or was not stored while the rest
 * of its group was.  Runs on the record's executor, entered, in the order of the journal, before
 * the completion of any later group.  record: borrowed.  There is no notification of JOURNAL_NEXT
 * and _INTERVAL. */
typedef void journal_queued_fn(void *executor_arg, const struct record *record,
                               enum queue_outcome outcome);

/* Several of those have come to an executor.  Who wants to do them in slices takes them over
 * (journal_on_notified): notifications.h. */
struct notifications;
typedef void journal_notified_fn(void *executor_arg, struct notifications *n);

/* There may be space again (journal_on_space). */
typedef void journal_space_fn(void *executor_arg);

/* --- who pays for what queues take --- */

/* Each session's queue has an owner, who is found by the session's value.  What all queues of one
 * owner hold is counted, and a queue record with JOURNAL_NOW is stored only where the owner may
 * have it.  On the journal's thread, and during the restore. */
struct journal_owners {
	void *(*find)(void *arg, struct slice session_value); /* a reference; NULL: nobody */
	void (*drop)(void *arg, void *owner);
	void (*add)(void *owner, uint64_t bytes); /* modulo 2^64 */
	/* `used` of `whole` bytes of the store (0: no limit) are in use: may the owner have `bytes`
	 * more? */
	bool (*admits)(void *arg, const void *owner, uint64_t used, uint64_t whole, uint64_t bytes);
	void *arg;
};

/* --- pages --- */

/* A page of a session's queue, read on the journal's thread.  It shows everything that was appended
 * before it was asked for.  The asker fills it in, and gets it back by the task. */
struct journal_page_item {
	uint64_t position;
	struct msg *msg;    /* a reference; the reader's */
	struct slice value; /* in `bytes` of the page */
	bool sent;          /* with a RECORD_SENT */
};

struct journal_page {
	struct task task; /* run: the asker's */
	struct executor *executor;
	uint64_t session_id;
	uint64_t from; /* position of the first wanted */
	uint32_t max_count;
	size_t max_bytes;                 /* of messages; one is always given */
	struct journal_page *prev, *next; /* the journal's */
	/* --- the answer --- */
	struct journal_page_item *items;
	size_t count;
	struct buf bytes;
	/* Everything of this session up to this position is in the page, or is done, or is before
	 * `from`. */
	uint64_t read_to;
	bool more; /* there is more after read_to */
	/* 0; -ECANCELED: the journal has failed or was stopped, nothing was read and nothing will
	 * be. */
	int status;
};

/* May the row of a RECORD_RETAINED without a message, but with this value, be removed at that store
 * time?  On the journal's thread. */
typedef bool journal_over_fn(struct slice value, uint64_t time_ms);

/* --- state --- */

enum journal_state {
	JOURNAL_OK,
	JOURNAL_LOW_SPACE, /* no space to add; what removes goes on */
	JOURNAL_WAITS,     /* no space on the disk: groups wait, a retry every second */
	JOURNAL_FAILED,    /* the disk failed: nothing completes any more until the next start */
};

struct journal_health {
	enum journal_state state;
	int error;                          /* -errno of the last failure, 0: none */
	uint64_t commits, groups, messages; /* since the start; messages: queue records written */
	uint64_t cancelled; /* queue records that were done before they were written */
	uint64_t pending_groups, pending_bytes;
	uint64_t map_bytes, used_bytes, max_bytes;
	/* of store_commit; 99 of a hundred took at most commit_us_p99 */
	uint64_t commit_us_sum, commit_us_max, commit_us_p99;
	/* How many took how long, in units of 100 microseconds. */
	uint64_t commit_cells[LATENCY_CELLS];
};

#endif
