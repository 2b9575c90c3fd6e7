/* The journal: facts that must survive, in groups.  A group is all or nothing, groups are kept in
 * the order in which they were appended, and each is completed exactly once, by a task to the
 * executor that appended it: status 0 means durable.  Nothing that a completion promises may leave
 * before it. Three implementations: disk (writer.c: one thread, all waiting groups of all executors
 * in one commit), memory (persistence off: complete as soon as the turn ends) and one for tests
 * that holds every group until it is told.  Thread: any executor appends; start, restore and stop
 * are main's. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/executor.h"
#include "store/store.h"
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

struct journal;
struct journal_group;

/* Runs on the executor that appended, entered; frees nothing: the group is freed behind it. */
typedef void journal_done_fn(struct journal_group *group, int status, void *executor_arg);

/* One group being built. `done` may be NULL: nobody waits. `context` is the caller's, found again
 * at completion. */
struct journal_group *journal_group_new(journal_done_fn *done, void *context);
void journal_group_add(struct journal_group *g, const struct record *record);
/* Somebody waits for it after all. */
void journal_group_await(struct journal_group *g, journal_done_fn *done, void *context);
void *journal_group_context(const struct journal_group *g);
size_t journal_group_count(const struct journal_group *g);
const struct record *journal_group_at(const struct journal_group *g, size_t i);
/* In its completion: was this RECORD_QUEUE stored? Was it refused, for its queue or its user's
 * share is full? Neither: its session has ended meanwhile, or the message needs the store no more.
 */
bool journal_group_stored(const struct journal_group *g, size_t i);
bool journal_group_refused(const struct journal_group *g, size_t i);
void journal_group_free(struct journal_group *g); /* one that was never appended */

enum journal_urgency {
	JOURNAL_NOW,  /* a commit begins at once, or as soon as the one under way has ended */
	JOURNAL_NEXT, /* goes with the next commit, at the latest after the interval, and is urgent
	               * none
	               */
	JOURNAL_INTERVAL, /* at the end of the interval: queue records that are done before then
	                     cost no write; so do all but the newest retained change of a topic */
};

/* Append: never blocks, never fails; the journal owns the group from now on. `home`: the current
 * one.  *first_position (may be NULL): the position of the first RECORD_QUEUE, those after it have
 * the following numbers, in the order they were added. */
void journal_append(struct journal *j, struct executor *executor, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position);

/* Does anything survive at all? False: callers may leave out records, and treat what they would
 * wait for as done (but through the same path: an empty group completes too). */
bool journal_is_durable(const struct journal *j);

/* --- queues --- */

/* A RECORD_QUEUE of a group appended with JOURNAL_NOW is durable: told at the session's home,
 * entered, in the order of the journal, before the completion of any later group.  kept false: the
 * queue is full, or the session is no more; it was not stored (the rest of its group was). record:
 * borrowed. Of JOURNAL_NEXT and _INTERVAL nobody is told. */
typedef void journal_queued_fn(void *executor_arg, const struct record *record, bool kept);
void journal_on_queued(struct journal *j, journal_queued_fn *queued);

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
void journal_read(struct journal *j, struct journal_page *page);
void journal_page_fini(struct journal_page *page); /* items and their messages */

/* --- when it cannot keep up, or cannot keep at all --- */

/* More than this waits for the disk, or for an executor that has to be told: whoever has a group
 * pending should not be read. */
#define JOURNAL_HIGH ((size_t)8 << 20)
#define JOURNAL_LOW  ((size_t)2 << 20)
bool journal_is_full(const struct journal *j); /* above the high mark */
size_t journal_waiting(const struct journal *j);
/* It is tight, or waits for space on the disk: what takes from it is what makes some. */
bool journal_lacks_space(const struct journal *j);
/* Room for so many bytes more, about; UINT64_MAX: no end is known. */
uint64_t journal_free_space(const struct journal *j);
/* Is there no space for so much more, with all that waits? It should not be read then, nor anything
 * else that adds to the store, until there is space for it; what takes from the store finds some
 * still. */
bool journal_is_low(struct journal *j, size_t bytes);
/* `room` is sent to each of these executors when it falls below the low mark again, when it is
 * tight no more, and when journal_lacks_space changes. Before start. */
typedef void journal_space_fn(void *executor_arg);
void journal_on_space(struct journal *j, struct executor *const *executors, unsigned count,
                      journal_space_fn *room);

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
/* Any thread. */
void journal_health(struct journal *j, struct journal_health *out);

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
/* Before the restore. */
void journal_set_owners(struct journal *j, const struct journal_owners *owners);
/* How much of the store is in use, with what waits for it; whole 0: no end. Any thread. */
void journal_space(const struct journal *j, uint64_t *used, uint64_t *whole);

/* --- life --- */

/* Store time: ms since 1970 that never goes back, whatever the machine's clock says: for what must
 * be meaningful after a restart.  Messages' expiry is converted by the journal itself. */
uint64_t journal_time_ms(const struct journal *j, uint64_t monotonic_ms);
/* When the broker was last known to run: for what was in use when it crashed. */
uint64_t journal_last_time_ms(const struct journal *j);
/* The monotonic time of a store time, which may have passed: 0 then. */
uint64_t journal_monotonic_ms(const struct journal *j, uint64_t time_ms);

/* Is a RECORD_RETAINED without a message, but with this value, of no use any more at that store
 * time? On the journal's thread. */
typedef bool journal_over_fn(struct slice value, uint64_t time_ms);

struct journal_options {
	uint64_t interval_ms;             /* of JOURNAL_INTERVAL and _NEXT */
	uint64_t expired_retention_ms;    /* how long a retained row outlives its message, for what
	                                else is    in it; shown until then, with the expired message */
	journal_over_fn *deleted_is_over; /* NULL: never */
};

/* On these tables (taken over). */
struct journal *journal_disk_new(struct store *store, const struct journal_options *options);
struct journal *journal_memory_new(void); /* keeps nothing */
/* Tests: holds every group until told. */
struct journal *journal_held_new(void);
size_t journal_held_count(const struct journal *j);
/* Posts what is told of the index-th held group, and its completion. */
void journal_held_release(struct journal *j, size_t index, int status);

/* Everything that is there, before start: first all of `retained`, then per table in this order.
 * Messages are borrowed. False from any: the row is dropped from the store. `queue`: one call per
 * session that has rows in its queue; `sent`: each with its queue row, by session and position. */
struct journal_visitor {
	bool (*retained)(void *arg, struct slice topic, uint64_t number, struct msg *msg,
	                 struct slice value);
	bool (*session)(void *arg, uint64_t session_id, struct slice value);
	bool (*subscription)(void *arg, uint64_t session_id, uint64_t number, struct slice value);
	bool (*inbound)(void *arg, uint64_t session_id, uint16_t packet_id);
	void (*queue)(void *arg, uint64_t session_id, uint64_t count, uint64_t bytes,
	              uint64_t first_position);
	bool (*sent)(void *arg, uint64_t session_id, uint64_t position, struct msg *msg,
	             struct slice queue_value, struct slice sent_value);
	bool (*replay)(void *arg, uint64_t session_id, uint64_t number, struct slice value);
	bool (*will)(void *arg, uint64_t session_id, struct msg *msg, struct slice value);
};
/* 0 or -errno (-EBADMSG: a row that cannot be read; *text says which and what to do). A memory
 * journal has nothing. */
int journal_restore(struct journal *j, const struct journal_visitor *visitor, void *arg,
                    char text[STORE_ERROR_TEXT]);
/* The thread. Simulations leave it out and turn the journal themselves. 0 or -errno. */
int journal_start(struct journal *j);
/* One batch, on the calling thread (only where it was not started): everything that waits, one
 * commit. False: there was nothing to do. */
bool journal_turn(struct journal *j, uint64_t now_ms);
/* One last commit, of everything; then the thread ends. Completions are sent; what could not be
 * kept, and what is appended from now on, completes with -ECANCELED. */
void journal_stop(struct journal *j);
/* Without a stop (a crash): what waits is freed, and nobody is told. */
void journal_free(struct journal *j);

#endif
