/* What the tests of the writer share: a journal on a store in memory that can crash, two
 * executors that write down their notifications, and what a restore shows, as lines of text. */
#ifndef TESTS_JOURNAL_WRITER_FIXTURE_H
#define TESTS_JOURNAL_WRITER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/journal_disk.h"
#include "support/store_memory.h"

#define EXECUTORS   2
#define INTERVAL_MS 1000
/* The wall clock when the monotonic one was 0. */
#define WRITER_FIXTURE_WALL_MS ((int64_t)1800000000000)

struct writer_fixture {
	struct store_image *image;
	struct store *store;
	struct journal *journal;
	struct executor executors[EXECUTORS];
	struct buf notified[EXECUTORS]; /* "+5 " position 5 stored, "-5 " not; "done=0 " a
	                                     completion, ... */
	unsigned rooms;
	uint64_t now_ms;
	int64_t clock_wrong_ms; /* the wall clock's error */
	uint64_t expired_retention_ms;
	journal_over_fn *deleted_is_over;
	uint64_t session_gone; /* the restore refuses this one */
	struct buf shown;      /* by the restore, a line each */
};

void writer_fixture_open(struct writer_fixture *t); /* zeroed, or crashed before */
void writer_fixture_crash(struct writer_fixture *t);
void writer_fixture_stop(struct writer_fixture *t); /* as it should be; writer_fixture_open again */
void writer_fixture_fini(struct writer_fixture *t);

struct msg *message_of(const char *topic, size_t payload_len);
/* One record, its message's reference given away. */
void add(struct journal_group *g, struct record record, struct msg *msg);
struct journal_group *group_new(const char *name); /* its completion writes "name=status " */
/* First position. */
uint64_t append_to(struct writer_fixture *t, unsigned executor, struct journal_group *g,
                   enum journal_urgency urgency);
/* One record, one group, JOURNAL_NOW, and the turn. */
void keep(struct writer_fixture *t, struct record record, struct msg *msg);
void session(struct writer_fixture *t, uint64_t id);
/* Gives its position. */
uint64_t queue(struct writer_fixture *t, uint64_t session_id, const char *value);
bool turn(struct writer_fixture *t); /* of the journal, then of the executors */
void run_executors(struct writer_fixture *t);
void require_notified(struct writer_fixture *t, unsigned executor,
                      const char *want); /* and forget it */

/* A page of a queue, asked for by the first home. */
struct asked {
	struct journal_page page; /* first */
	struct writer_fixture *t;
	unsigned answers;
};

void ask(struct writer_fixture *t, struct asked *a, uint64_t session_id, uint64_t from,
         uint32_t max_count, size_t max_bytes);
void read_now(struct writer_fixture *t, struct asked *a, uint64_t session_id, uint64_t from,
              uint32_t max_count, size_t max_bytes);
/* A group "g": one message for each of the sessions; a value for odd ones. */
void put_to(struct writer_fixture *t, unsigned executor, const uint64_t *sessions, size_t count,
            size_t payload, enum journal_urgency urgency);

/* Open again and show all. */
void restart(struct writer_fixture *t);
void require_shown(struct writer_fixture *t, const char *want);
bool is_shown(struct writer_fixture *t, const char *line);
uint64_t rows_in(struct writer_fixture *t, enum store_table table);

#endif
