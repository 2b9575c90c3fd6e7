/* What the implementations of the journal share: groups as they lie in it, and what is sent to
 * executors.  Only the store's own files include this. */
#ifndef JOURNAL_JOURNAL_OPS_H
#define JOURNAL_JOURNAL_OPS_H

#include <stdatomic.h>

#include "journal/journal.h"

struct entry {
	struct record record;
	struct journal_group *group;
	bool cancelled; /* writer: nothing is to be written of it */
	bool kept;      /* RECORD_QUEUE: it was stored */
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
	struct entry *entries;
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

/* last_time_ms: what the store knows of the time before, 0: nothing. */
void journal_init(struct journal *j, const struct journal_kind *kind, uint64_t last_time_ms);
void journal_fini(struct journal *j);

/* Give its queue records their positions. Where positions must have the order of appending, under
 * the lock. */
void journal_number(struct journal *j, struct journal_group *g, uint64_t *first_position);
/* It waits from now on. */
void journal_count_waiting(struct journal *j, struct journal_group *g);
/* Executors may go on. Any thread. */
void journal_report_space(struct journal *j);
/* Post the completion; the group may be gone at once. */
void journal_complete(struct journal_group *g, int status);
/* It is done and nobody waits for it: freed here, unless an executor has yet to be told of it. */
void journal_let_go(struct journal_group *g);
/* Answer with nothing read. status 0: because there is nothing. */
void journal_answer_empty(struct journal *j, struct journal_page *page, int status);

/* --- what is told to sessions' executors: one post for each executor --- */

struct notifications;
/* Put down what the queue records of `g` became. */
void notifications_add(struct notifications **list, struct journal *j, struct journal_group *g);
void notifications_send(struct notifications **list); /* all; the list is empty again */

#endif
