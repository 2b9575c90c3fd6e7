/* The journal on disk, inside.  Executors append to a list under the lock; the keeper gathers it
 * (on the journal's thread, or in journal_turn), leaves out what cancels out, and applies all that
 * is due in one transaction of the disk.  What it changes in memory while it applies is taken back
 * when the transaction is. */
#ifndef STORE_KEEPER_H
#define STORE_KEEPER_H

#include "base/histogram.h"
#include "base/table.h"
#include "store/journal_inside.h"
#include "store/rows.h"

#define KEEPER_NEVER UINT64_MAX
/* In TABLE_META: the highest position given out. */
#define KEEPER_ROW_POSITION SLICE("position")
/* So much that hastens nothing is gathered all the same: it may cancel out. */
#define KEEPER_GATHER ((size_t)1 << 20)

/* What is known of a session's queue. */
struct queue_state {
	bool exists;
	uint64_t count, bytes; /* stored */
	uint64_t bound_count, bound_bytes;
};

struct kept_session {
	uint64_t id;
	void *owner;                    /* journal_owners; NULL: nobody */
	uint64_t charged;               /* to him, of now.bytes */
	struct queue_state now, before; /* before: this transaction */
	bool touched;
	struct kept_session *next_touched;
};

/* A row to be dropped, or a session to be marked as ending: found by the restore. */
struct drop {
	enum disk_table table;
	bool mark;
	uint8_t key_len;
	struct row_key key;
};

struct keeper {
	struct journal j; /* first; its lock is for what comes next */
	struct journal_group *pending;
	struct journal_page *asked;
	uint64_t serial;
	uint64_t deadline_ms;   /* of what is pending; KEEPER_NEVER */
	uint64_t room_ms;       /* when to look again */
	uint64_t room_wanted;   /* for the largest that waits */
	uint64_t tight_ms;      /* when it was tight last */
	uint64_t written_bytes; /* since somebody looked how much room there is, about */
	size_t pending_bytes, pending_groups, all_groups;
	size_t urgent; /* of what is pending: groups with JOURNAL_NOW */
	size_t enough; /* so many of them wake the thread */
	bool asleep, pausing, stopping, stopped, failed;
	struct journal_health health;
	struct histogram commit_us_all;
	struct condition wake;
	struct thread thread;
	uint64_t interval_ms, expired_keep_ms;
	journal_over_fn *deleted_is_over;

	/* From here on: the keeper's alone. */
	enum journal_state state;
	enum disk_bound bound; /* what its room was measured by */
	bool started;
	bool flush;              /* the next commit takes everything */
	bool ending;             /* TABLE_ENDING may have rows */
	bool wrote, wrote_queue; /* the transaction that is open */
	struct disk *disk;
	uint64_t now_ms;
	struct journal_group *soon;  /* gathered: for the next commit, in order */
	struct journal_group *later; /* gathered: for the end of the interval, in order */
	size_t soon_urgent;          /* of `soon`: JOURNAL_NOW */
	size_t held_bytes;           /* of both: that are not */
	uint64_t flush_ms;           /* when the interval ends; KEEPER_NEVER */
	struct table held_queue;     /* position -> entry of `later` */
	struct table held_inbound;   /* session, packet identifier -> entry of `later` */
	struct table held_retained;  /* topic -> the newest entry that hastens nothing */
	struct table held_sessions;  /* sessions of which `later` has more than their queues */

	struct journal_group *batch;
	struct journal_group *rest; /* behind the batch, where there is no room for all at once */
	size_t portion;             /* so many groups may find room at once; 0: all */
	struct journal_page *pages;
	uint64_t taken_position; /* the highest given out when the batch was taken */
	size_t taken_urgent;     /* groups with JOURNAL_NOW that were gathered with it */
	size_t usual_urgent;     /* as many as lately, on average; keeper_thread.c */
	uint64_t retry_ms, note_ms;

	struct table sessions;
	struct kept_session *touched;
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

/* --- keeper.c --- */

/* One batch, if something is due. `final`: everything. */
bool keeper_turn(struct keeper *k, uint64_t now_ms, bool final);
int keeper_put(struct keeper *k, enum disk_table table, struct slice key, struct slice value);
int keeper_remove(struct keeper *k, enum disk_table table, struct slice key); /* may be missing */
void keeper_complete(struct keeper *k, struct journal_group *g);

/* --- keeper_held.c --- */

/* Take a group over: cancel what it makes needless, then put it where it waits. */
void held_gather(struct keeper *k, struct journal_group *g);
/* Move what is due into the batch. `everything`: what waits for the end of the interval, too. */
void held_release(struct keeper *k, bool everything);
/* It will never be written: who waits for it learns so. */
void held_cancel(struct journal_group *g);
void held_cancel_all(struct keeper *k);
void held_fini(struct keeper *k);

/* --- keeper_sessions.c --- */

struct kept_session *sessions_find(const struct keeper *k, uint64_t id); /* NULL: none */
/* To be changed; taken back if the transaction is. */
struct kept_session *sessions_touch(struct keeper *k, uint64_t id);
/* Whose it is, by its value; where that is not known yet. */
void sessions_find_owner(struct keeper *k, struct kept_session *s, struct slice value);
void sessions_charge(struct keeper *k, struct kept_session *s); /* its queue holds now.bytes */
/* May its owner have so much more? */
bool sessions_owner_admits(const struct keeper *k, const struct kept_session *s, uint64_t bytes);
void sessions_settle(struct keeper *k);    /* it was committed */
void sessions_take_back(struct keeper *k); /* it was not */
void sessions_fini(struct keeper *k);

/* --- keeper_apply.c --- */

int keeper_apply(struct keeper *k, struct journal_group *g);

/* --- keeper_queue.c --- */

/* The queue records from `at` on that carry the same message; *at moves behind them. */
int keeper_queue_apply(struct keeper *k, struct journal_group *g, size_t *at);
int keeper_queue_done(struct keeper *k, uint64_t session_id, uint64_t position);
int keeper_queue_drop_body(struct keeper *k, uint64_t body_id); /* one reference */
int keeper_queue_read_page(struct keeper *k, struct journal_page *page);

/* --- keeper_sweep.c --- */

/* Some rows of sessions that have ended; some retained values that have expired; what the restore
 * dropped. */
bool sweep_is_over(const struct keeper *k, const struct row_retained *r, uint64_t time_ms);
int sweep_ending(struct keeper *k);
int sweep_retained(struct keeper *k);
int sweep_drops(struct keeper *k);
void sweep_add_drop(struct keeper *k, enum disk_table table, struct slice key, bool mark);

/* --- keeper_restore.c --- */

int keeper_restore(struct journal *j, const struct journal_visitor *visitor, void *arg, char *text);

/* --- keeper_state.c --- */

/* error: -errno, 0: none. */
void keeper_set_state(struct keeper *k, enum journal_state state, int error);
/* Since somebody looked; to look costs something. */
bool keeper_room_may_differ(const struct keeper *k);
/* How much room is there? It works, or is tight, accordingly. */
void keeper_look_at_room(struct keeper *k);
/* When to look without a commit: while it is tight, and for a while after, every second.  Under the
 * lock. */
uint64_t keeper_look_due_ms(const struct keeper *k);
void keeper_look_again(struct keeper *k); /* where it is due */
void keeper_tighten(struct journal *j, size_t bytes);

/* --- keeper_thread.c --- */

int keeper_start(struct journal *j);
void keeper_join(struct keeper *k);

#endif
