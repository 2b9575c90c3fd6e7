/* The journal: state changes that must survive, in groups.  A group is stored as a whole or not at
 * all, groups are stored in the order in which they were appended, and each completes exactly once,
 * by a task to the executor that appended it: status 0 means durable.  What a completion promises
 * to a client is not sent before it.  Two implementations: journal_disk.h and, without persistence,
 * journal_memory.h.  Thread: any executor appends; start, restore and stop are main's. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "journal/journal_group.h"
#include "journal/journal_page.h"
#include "journal/journal_space.h"
#include "store/store_tables.h"

/* Append: never blocks, never fails; the journal owns the group from now on. `executor`: the
 * current one.  *first_position (may be NULL): the position of the first RECORD_QUEUE, those after
 * it have the following numbers, in the order they were added. */
void journal_append(struct journal *j, struct executor *executor, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position);

/* True if a durable journal is configured.  Otherwise callers may leave out records, and treat what
 * they would wait for as done (through the same path: an empty group completes, too). */
bool journal_is_durable(const struct journal *j);

/* --- queues --- */

void journal_on_queued(struct journal *j, journal_queued_fn *queued);
/* `notified` calls `queued` for each of them, by notifications_next. NULL: all at once. */
void journal_on_notified(struct journal *j, journal_notified_fn *notified);

void journal_read(struct journal *j, struct journal_page *page);

/* --- load and space --- */

bool journal_is_full(const struct journal *j); /* above the high mark */
size_t journal_waiting(const struct journal *j);
/* It is low on space, or waits for space on the disk: only removing gives some. */
bool journal_lacks_space(const struct journal *j);
/* How many bytes may be added, about; UINT64_MAX: no limit is known. */
uint64_t journal_free_space(const struct journal *j);
/* Is there no space for `bytes` more, beside all that waits?  Then nothing that adds to the store
 * should be read until there is; what removes from the store still has space. */
bool journal_is_low(struct journal *j, size_t bytes);
/* `run` is sent to each of these executors when what waits falls below JOURNAL_LOW, when the
 * journal is no longer low on space, and when journal_lacks_space changes.  Before start. */
void journal_on_space(struct journal *j, struct executor *const *executors, unsigned count,
                      journal_space_fn *listener);

/* Any thread. */
void journal_health(struct journal *j, struct journal_health *out);

/* Before the restore. */
void journal_set_owners(struct journal *j, const struct journal_owners *owners);
/* How much of the store is in use, with what waits for it; whole 0: no limit. Any thread. */
void journal_space(const struct journal *j, uint64_t *used, uint64_t *whole);

/* --- life --- */

/* Store time (store_clock.h), for times that are read after a restart.  The journal converts the
 * expiry of messages itself. */
uint64_t journal_time_ms(const struct journal *j, uint64_t monotonic_ms);
/* When the broker was last known to run. */
uint64_t journal_last_time_ms(const struct journal *j);
/* The monotonic time of a store time; 0: before the monotonic clock began. */
uint64_t journal_monotonic_ms(const struct journal *j, uint64_t time_ms);

/* How everything in the store is shown, before start (record.def). */
struct journal_visitor {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a type and its parameters */
#define VISITOR(table, rows, result, name, arguments) result(*name) arguments;
#include "journal/record.def"
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
 * stored, and what is appended from now on, completes with -ECANCELED. */
void journal_stop(struct journal *j);
/* Without a stop (a crash): what waits is freed without completion. */
void journal_free(struct journal *j);

/* --- for the implementations --- */

struct journal_kind; /* journal_ops.h */
/* `last`: what the store knows of the time before, zeros: nothing. */
void journal_init(struct journal *j, const struct journal_kind *kind, struct store_time last);
void journal_fini(struct journal *j);

#endif
