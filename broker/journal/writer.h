/* The writer of the journal on disk.  Executors append to a list under the lock; the writer gathers
 * it (on the journal's thread, or in journal_turn), coalesces records that cancel each other, and
 * applies all that is due in one transaction of the store.  What it changes in memory meanwhile is
 * taken back when the transaction fails. */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "base/histogram.h"
#include "base/table.h"
#include "journal/journal.h"
#include "journal/journal_ops.h"
#include "store/row.h"
#include "store/store.h"

#define WRITER_NEVER UINT64_MAX
/* In TABLE_META: the highest position that was given. */
#define WRITER_ROW_POSITION SLICE("position")
/* So many bytes that are not urgent are gathered all the same: they may cancel out. */
#define WRITER_GATHER ((size_t)1 << 20)

struct queue_owner;
struct drop;

/* About a tenth of a millisecond. */
#define WRITER_ROWS_AT_ONCE 16

struct writer {
	struct journal j; /* first; its lock protects what follows */
	struct journal_group *pending;
	struct journal_page *asked;
	uint64_t serial;
	uint64_t deadline_ms;   /* of what is pending; WRITER_NEVER */
	uint64_t space_ms;      /* when to measure space again */
	uint64_t space_wanted;  /* by the largest that waits */
	uint64_t low_space_ms;  /* when it was low last */
	uint64_t written_bytes; /* since space was measured, about */
	size_t pending_bytes, pending_groups;
	size_t urgent; /* of what is pending: groups with JOURNAL_NOW */
	size_t enough; /* so many of them wake the thread */
	bool asleep, pausing, stopping, stopped, failed;
	struct condition wake;
	struct thread thread;
	uint64_t interval_ms, expired_retention_ms;
	journal_over_fn *deleted_is_over;

	/* Written under the lock, and read without it. */
	_Atomic size_t all_groups;
	/* Who wants figures waits for nobody who appends. The writer changes them. */
	struct mutex health_lock;
	struct journal_health health;
	struct histogram commit_us_all;

	/* What follows only the writer uses. */
	bool has_owner; /* the thread that runs it; without one, the caller of journal_turn */
	pthread_t owner;
	enum journal_state state;
	enum store_bound bound; /* what limits its space */
	bool started;
	bool flush;              /* the next commit takes everything */
	bool ending;             /* TABLE_ENDING may have rows */
	bool wrote, wrote_queue; /* the open transaction, or the last one */
	struct store *store;
	uint64_t now_ms;
	struct journal_group *soon;    /* gathered: for the next commit, in order */
	struct journal_group *later;   /* gathered: for the end of the interval, in order */
	size_t soon_urgent;            /* of `soon`: JOURNAL_NOW */
	size_t coalesced_bytes;        /* of both: not JOURNAL_NOW */
	uint64_t flush_ms;             /* when the interval ends; WRITER_NEVER */
	struct table pending_queue;    /* position -> entry of `later` */
	struct table pending_inbound;  /* session, packet identifier -> entry of `later` */
	struct table pending_retained; /* topic -> the newest entry that is not JOURNAL_NOW */
	struct table pending_sessions; /* sessions of which `later` has more than their queues */

	struct journal_group *batch;
	struct journal_group *rest; /* after the batch, where there is no space for all at once */
	size_t portion;             /* so many groups may fit at once; 0: all */
	struct journal_page *pages;
	uint64_t taken_position; /* the highest when the batch was taken */
	size_t taken_urgent;     /* groups with JOURNAL_NOW that were gathered with it */
	size_t usual_urgent;     /* moving average of it; writer_thread.c */
	uint64_t retry_ms, note_ms;

	struct table sessions;
	struct queue_owner *touched;
	struct drop *drops;
	size_t drop_count, drop_cap;

	uint64_t wrote_messages, commit_us;
	uint64_t queued_bytes;   /* for queues, in the transaction that is open */
	unsigned rows;           /* written or removed, modulo 2^32 */
	struct buf row, message; /* to encode into */
	struct row_key retained_at;
	size_t retained_at_len; /* where the search for expired ones goes on */

	/* since the counts under the lock were updated */
	size_t gone_groups;
	uint64_t cancelled;
};

/* A row was written or removed. The workers have the processor in between: a commit may have very
 * many rows, and a thread keeps its processor until the next tick of the kernel, 4 ms. */
static inline void writer_row_done(struct writer *w)
{
	/* mutant: journal_keeps_its_processor */
	if (++w->rows % WRITER_ROWS_AT_ONCE == 0 && w->has_owner)
		thread_give_way();
}

/* The calling thread runs the writer: the journal's, or any one before it starts and after it ends.
 */
#define REQUIRE_WRITER(w) REQUIRE(!(w)->has_owner || pthread_equal((w)->owner, pthread_self()))

/* A group is done with: it is durable, or there was nothing to do. */
void writer_complete(struct writer *w, struct journal_group *g);

#endif
