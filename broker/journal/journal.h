/* The journal: facts that must survive, in groups.  A group is all or nothing, groups are kept in
 * the order in which they were appended, and each is completed exactly once, by a task to the
 * executor that appended it: status 0 means durable.  Nothing that a completion promises may leave
 * before it. Two implementations: journal_disk.h and, with persistence off, journal_memory.h.
 * Thread: any executor appends; start, restore and stop are main's. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "journal/journal_group.h"
#include "journal/journal_page.h"
#include "journal/journal_space.h"
#include "store/store_tables.h"

/* Append: never blocks, never fails; the journal owns the group from now on. `home`: the current
 * one.  *first_position (may be NULL): the position of the first RECORD_QUEUE, those after it have
 * the following numbers, in the order they were added. */
void journal_append(struct journal *j, struct executor *executor, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position);

/* Does anything survive at all? False: callers may leave out records, and treat what they would
 * wait for as done (but through the same path: an empty group completes too). */
bool journal_is_durable(const struct journal *j);

/* --- queues --- */

void journal_on_queued(struct journal *j, journal_queued_fn *queued);

void journal_read(struct journal *j, struct journal_page *page);

/* --- when it cannot keep up, or cannot keep at all --- */

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
void journal_on_space(struct journal *j, struct executor *const *executors, unsigned count,
                      journal_space_fn *room);

/* Any thread. */
void journal_health(struct journal *j, struct journal_health *out);

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

/* Shows everything that is there, before start. */
struct journal_visitor {
#define VISITOR(result, name, arguments) result(*name) arguments;
#include "journal/visitor.def"
#undef VISITOR
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

/* --- for the implementations --- */

struct journal_kind; /* journal_ops.h */
/* last_time_ms: what the store knows of the time before, 0: nothing. */
void journal_init(struct journal *j, const struct journal_kind *kind, uint64_t last_time_ms);
void journal_fini(struct journal *j);

#endif
