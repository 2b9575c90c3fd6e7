/* The journal on disk, inside.  Executors append to a list under the lock; the writer gathers it
 * (on the journal's thread, or in journal_turn), leaves out what cancels out, and applies all that
 * is due in one transaction of the disk.  What it changes in memory while it applies is taken back
 * when the transaction is. */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "base/histogram.h"
#include "base/table.h"
#include "journal/journal_ops.h"
#include "store/row_codec.h"

#define WRITER_NEVER UINT64_MAX
/* In TABLE_META: the highest position given out. */
#define WRITER_ROW_POSITION SLICE("position")
/* So much that is urgent nothing is gathered all the same: it may cancel out. */
#define WRITER_GATHER ((size_t)1 << 20)

/* What is known of a session's queue. */
struct queue_state {
	bool exists;
	uint64_t count, bytes; /* stored */
	uint64_t bound_count, bound_bytes;
};

struct queue_owner {
	uint64_t id;
	void *owner;                    /* journal_owners; NULL: nobody */
	uint64_t charged;               /* to him, of now.bytes */
	struct queue_state now, before; /* before: this transaction */
	bool touched;
	struct queue_owner *next_touched;
};

/* A row to be dropped, or a session to be marked as ending: found by the restore. */
struct drop {
	enum store_table table;
	bool mark;
	uint8_t key_len;
	struct row_key key;
};

struct writer {
	struct journal j; /* first; its lock is for what comes next */
	struct journal_group *pending;
	struct journal_page *asked;
	uint64_t serial;
	uint64_t deadline_ms;   /* of what is pending; WRITER_NEVER */
	uint64_t space_ms;      /* when to look again */
	uint64_t space_wanted;  /* for the largest that waits */
	uint64_t low_space_ms;  /* when it was tight last */
	uint64_t written_bytes; /* since somebody looked how much room there is, about */
	size_t pending_bytes, pending_groups, all_groups;
	size_t urgent; /* of what is pending: groups with JOURNAL_NOW */
	size_t enough; /* so many of them wake the thread */
	bool asleep, pausing, stopping, stopped, failed;
	struct journal_health health;
	struct histogram commit_us_all;
	struct condition wake;
	struct thread thread;
	uint64_t interval_ms, expired_retention_ms;
	journal_over_fn *deleted_is_over;

	/* From here on: the writer's alone. */
	enum journal_state state;
	enum store_bound bound; /* what its room was measured by */
	bool started;
	bool flush;              /* the next commit takes everything */
	bool ending;             /* TABLE_ENDING may have rows */
	bool wrote, wrote_queue; /* the transaction that is open */
	struct store *store;
	uint64_t now_ms;
	struct journal_group *soon;    /* gathered: for the next commit, in order */
	struct journal_group *later;   /* gathered: for the end of the interval, in order */
	size_t soon_urgent;            /* of `soon`: JOURNAL_NOW */
	size_t coalesced_bytes;        /* of both: that are not */
	uint64_t flush_ms;             /* when the interval ends; WRITER_NEVER */
	struct table pending_queue;    /* position -> entry of `later` */
	struct table pending_inbound;  /* session, packet identifier -> entry of `later` */
	struct table pending_retained; /* topic -> the newest entry that is urgent nothing */
	struct table pending_sessions; /* sessions of which `later` has more than their queues */

	struct journal_group *batch;
	struct journal_group *rest; /* behind the batch, where there is no space for all at once */
	size_t portion;             /* so many groups may find room at once; 0: all */
	struct journal_page *pages;
	uint64_t taken_position; /* the highest given out when the batch was taken */
	size_t taken_urgent;     /* groups with JOURNAL_NOW that were gathered with it */
	size_t usual_urgent;     /* as many as lately, on average; writer_thread.c */
	uint64_t retry_ms, note_ms;

	struct table sessions;
	struct queue_owner *touched;
	struct drop *drops;
	size_t drop_count, drop_cap;

	uint64_t wrote_messages, commit_us;
	uint64_t queued_bytes;   /* for queues, in the transaction that is open */
	struct buf row, message; /* to encode into */
	struct row_key retained_at;
	size_t retained_at_len; /* the sweep has come to here */

	/* done with since the counts under the lock were brought up to date */
	size_t gone_groups;
	uint64_t cancelled;
};

/* --- writer.c --- */

/* One batch, if something is due. `final`: everything. */
bool writer_turn(struct writer *k, uint64_t now_ms, bool final);
int writer_put(struct writer *k, enum store_table table, struct slice key, struct slice value);
int writer_remove(struct writer *k, enum store_table table, struct slice key); /* may be missing */
void writer_complete(struct writer *k, struct journal_group *g);

/* --- coalescer.c --- */

/* Take a group over: cancel what it makes needless, then put it where it waits. */
void coalescer_gather(struct writer *k, struct journal_group *g);
/* Move what is due into the batch. `everything`: what waits for the end of the interval, too. */
void coalescer_release(struct writer *k, bool everything);
/* It will never be written: who waits for it learns so. */
void coalescer_cancel(struct journal_group *g);
void coalescer_cancel_all(struct writer *k);
void coalescer_fini(struct writer *k);

/* --- queue_state.c --- */

struct queue_owner *sessions_find(const struct writer *k, uint64_t id); /* NULL: none */
/* To be changed; taken back if the transaction is. */
struct queue_owner *sessions_touch(struct writer *k, uint64_t id);
/* Whose it is, by its value; where that is not known yet. */
void sessions_find_owner(struct writer *k, struct queue_owner *s, struct slice value);
void sessions_charge(struct writer *k, struct queue_owner *s); /* its queue holds now.bytes */
/* May its owner have so much more? */
bool sessions_owner_admits(const struct writer *k, const struct queue_owner *s, uint64_t bytes);
void sessions_settle(struct writer *k);    /* it was committed */
void sessions_take_back(struct writer *k); /* it was not */
void sessions_fini(struct writer *k);

/* --- writer_apply.c --- */

int writer_apply(struct writer *k, struct journal_group *g);

/* --- writer_queue.c --- */

/* The queue records from `at` on that carry the same message; *at moves behind them. */
int writer_queue_apply(struct writer *k, struct journal_group *g, size_t *at);
int writer_queue_done(struct writer *k, uint64_t session_id, uint64_t position);
int writer_queue_drop_body(struct writer *k, uint64_t body_id); /* one reference */
int writer_queue_read_page(struct writer *k, struct journal_page *page);

/* --- writer_expire.c --- */

/* Some rows of sessions that have ended; some retained values that have expired; what the restore
 * dropped. */
bool sweep_is_over(const struct writer *k, const struct row_retained *r, uint64_t time_ms);
int sweep_ending(struct writer *k);
int sweep_retained(struct writer *k);
int sweep_drops(struct writer *k);
void sweep_add_drop(struct writer *k, enum store_table table, struct slice key, bool mark);

/* --- writer_restore.c --- */

int writer_restore(struct journal *j, const struct journal_visitor *visitor, void *arg, char *text);

/* --- writer_space.c --- */

/* error: -errno, 0: none. */
void writer_set_state(struct writer *k, enum journal_state state, int error);
/* Since somebody looked; to look costs something. */
bool writer_space_may_differ(const struct writer *k);
/* How much room is there? It works, or is tight, accordingly. */
void writer_check_space(struct writer *k);
/* When to look without a commit: while it is tight, and for a while after, every second.  Under the
 * lock. */
uint64_t writer_check_due_ms(const struct writer *k);
void writer_check_again(struct writer *k); /* where it is due */
void writer_lower_space(struct journal *j, size_t bytes);

/* --- writer_thread.c --- */

int writer_start(struct journal *j);
void writer_join(struct writer *k);

#endif
