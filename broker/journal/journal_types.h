/* Types that the journal's interface and its implementations share. */
#ifndef JOURNAL_JOURNAL_TYPES_H
#define JOURNAL_JOURNAL_TYPES_H

#include "journal/record.h"

struct journal;
struct journal_group;

enum journal_urgency {
	JOURNAL_NOW,  /* a commit begins at once, or as soon as the one under way has ended */
	JOURNAL_NEXT, /* goes with the next commit, at the latest after the interval, and is urgent
	               * none
	               */
	JOURNAL_INTERVAL, /* at the end of the interval: queue records that are done before then
	                     cost no write; so do all but the newest retained change of a topic */
};

/* --- who is told --- */

/* Runs on the executor that appended, entered; frees nothing: the group is freed behind it. */
typedef void journal_done_fn(struct journal_group *group, int status, void *executor_arg);

/* A RECORD_QUEUE of a group appended with JOURNAL_NOW is durable: told at the session's home,
 * entered, in the order of the journal, before the completion of any later group.  kept false: the
 * queue is full, or the session is no more; it was not stored (the rest of its group was). record:
 * borrowed. Of JOURNAL_NEXT and _INTERVAL nobody is told. */
typedef void journal_queued_fn(void *executor_arg, const struct record *record, bool kept);

/* `room` is sent to each of these executors when it falls below the low mark again, when it is
 * tight no more, and when journal_lacks_space changes. Before start. */
typedef void journal_space_fn(void *executor_arg);

/* --- who pays for what queues take --- */

/* Each session's queue belongs to somebody, whom the core knows by the session's value; how much
 * all queues of one owner hold is counted for him, and a queue record that somebody waits for is
 * stored only where he is admitted. On the journal's thread, and during the restore. */
struct journal_owners {
	void *(*find)(void *arg, struct slice session_value); /* a reference; NULL: nobody */
	void (*drop)(void *arg, void *owner);
	void (*add)(void *owner, uint64_t bytes); /* modulo 2^64 */
	/* `used` of `whole` bytes of the store (0: no end) are in use; may he have so many more? */
	bool (*admits)(void *arg, const void *owner, uint64_t used, uint64_t whole, uint64_t bytes);
	void *arg;
};

/* --- pages --- */

/* A page of a session's queue, read off the loops.  It shows everything appended before it was
 * asked for.  Filled in by the asker, sent back to `home`, the asker's again. */
struct journal_page_item {
	uint64_t position;
	struct msg *msg;    /* a reference; the reader's to give back */
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
	uint64_t read_to; /* everything of this session up to this position is in the page, or was
	                     done, or lay before `from` */
	bool more;        /* there is more behind read_to */
	int status;       /* 0; -ECANCELED: the journal has failed or was stopped, nothing was
	                     read and nothing will be */
};

/* Is a RECORD_RETAINED without a message, but with this value, of no use any more at that store
 * time? On the journal's thread. */
typedef bool journal_over_fn(struct slice value, uint64_t time_ms);

/* --- state --- */

enum journal_state {
	JOURNAL_WORKS,
	JOURNAL_LOW_SPACE, /* no space for more; what takes away goes on */
	JOURNAL_WAITS,     /* no space on the disk: tried again every second, groups wait */
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
};

#endif
