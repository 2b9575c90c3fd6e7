/* A journal and its groups from the inside, and the table of functions that an implementation is:
 * on disk (journal_disk.c), in memory, and one in the tests (tests/support).  Only the files of
 * this folder and that one include this. */
#ifndef JOURNAL_JOURNAL_OPS_H
#define JOURNAL_JOURNAL_OPS_H

#include <stdatomic.h>

#include "journal/journal_types.h"

struct group_entry {
	struct record record;
	struct journal_group *group;
	bool cancelled;             /* nothing of it is written */
	enum queue_outcome outcome; /* RECORD_QUEUE */
};

struct journal_group {
	struct task task;                  /* first: the completion */
	struct journal_group *prev, *next; /* of the list that has it */
	struct executor *executor;
	journal_done_fn *done;
	void *context;
	int status;
	enum journal_urgency urgency;
	uint64_t serial;       /* order of appending */
	_Atomic unsigned uses; /* tasks that are under way: the last one frees it */
	struct group_entry *entries;
	size_t count, cap;
	size_t left;             /* entries that are not cancelled */
	size_t queued;           /* of them RECORD_QUEUE */
	size_t bytes;            /* what it costs in memory */
	struct journal *counted; /* among whose waiting_bytes these are, until it is freed */
};

/* An executor that waits for space: the task is sent each time, at most once at a time. */
struct space_listener {
	struct task task; /* first */
	struct executor *executor;
	journal_space_fn *run;
	atomic_bool is_sent;
};

struct journal_visitor;

/* Each implementation is a struct that begins with a struct journal. NULL: nothing to do. */
struct journal_kind {
	bool durable;
	void (*append)(struct journal *j, struct journal_group *g, uint64_t *first_position);
	void (*read)(struct journal *j, struct journal_page *page);
	void (*lower_space)(struct journal *j, size_t bytes); /* there was no space for these */
	void (*health)(struct journal *j, struct journal_health *out);
	int (*restore)(struct journal *j, const struct journal_visitor *visitor, void *arg,
	               char *text);
	int (*start)(struct journal *j);
	bool (*turn)(struct journal *j, uint64_t now_ms);
	void (*stop)(struct journal *j);
	void (*free)(struct journal *j);
};

struct journal {
	const struct journal_kind *kind;
	struct mutex lock; /* of what executors touch */
	_Atomic uint64_t next_position;
	journal_queued_fn *queued;
	journal_notified_fn *notified;
	struct space_listener *listeners;
	unsigned listener_count;
	_Atomic size_t waiting_bytes; /* of groups that are not freed yet */
	atomic_bool was_full;
	_Atomic uint64_t free_bytes; /* that may be added to the store */
	atomic_bool low;
	struct journal_owners owners;
	_Atomic uint64_t used_bytes, max_bytes; /* of the store, when it was last measured */
	atomic_bool lacks_space;                /* the state says so; independent of `low` */
	/* store time: time_ms when the monotonic clock said zero_ms */
	uint64_t time_ms, zero_ms, last_time_ms;
};

#endif
