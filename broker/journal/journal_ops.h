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
	bool cancelled; /* writer: nothing is to be written of it */
	bool stored;    /* RECORD_QUEUE */
	bool refused;   /* RECORD_QUEUE: the queue, or its user's share of the store, is full */
};

struct journal_group {
	struct task task;                  /* first: the completion on its way home */
	struct journal_group *prev, *next; /* of the list that has it */
	struct executor *executor;
	journal_done_fn *done;
	void *context;
	int status;
	enum journal_urgency urgency;
	uint64_t serial;       /* order of appending */
	_Atomic unsigned uses; /* posts to come: it is freed behind the last */
	struct group_entry *entries;
	size_t count, cap;
	size_t left;             /* entries that are not cancelled */
	size_t queued;           /* of them RECORD_QUEUE */
	size_t bytes;            /* what it costs in memory */
	struct journal *counted; /* among whose waiting_bytes these are, until it is freed */
};

/* Something that waits to be sent to an executor again and again, at most once at a time. */
struct room {
	struct task task; /* first */
	struct executor *executor;
	journal_space_fn *run;
	atomic_bool on_its_way;
};

/* Each implementation is a struct that begins with a struct journal. NULL: nothing to do. */
struct journal_visitor;

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
	struct mutex lock; /* of what executors touch; what, says the kind */
	_Atomic uint64_t next_position;
	journal_queued_fn *queued;
	struct room *rooms;
	unsigned space_count;
	_Atomic size_t waiting_bytes; /* of groups that are not done with at every executor */
	atomic_bool was_full;
	_Atomic uint64_t room_bytes; /* so many may be added to what is on disk */
	atomic_bool low;
	struct journal_owners owners;
	_Atomic uint64_t used_bytes, max_bytes; /* as they were seen last */
	atomic_bool lacks_space; /* its state says so; it may be so without being tight */
	/* store time: time_ms when the monotonic clock said zero_ms */
	uint64_t time_ms, zero_ms, last_time_ms;
};

#endif
