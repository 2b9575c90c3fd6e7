/* Groups of records, from the caller that builds one to its completion.  Thread: a group belongs to
 * the executor that builds it, then to the journal, and to that executor again in its completion.
 */
#ifndef JOURNAL_JOURNAL_GROUP_H
#define JOURNAL_JOURNAL_GROUP_H

#include "journal/journal_types.h"

/* A group being built. `done` may be NULL: nobody waits. `context` is the caller's, for the
 * completion. */
struct journal_group *journal_group_new(journal_done_fn *done, void *context);
void journal_group_add(struct journal_group *g, const struct record *record);
/* As in journal_group_new, for a group that has none. */
void journal_group_await(struct journal_group *g, journal_done_fn *done, void *context);
void *journal_group_context(const struct journal_group *g);
size_t journal_group_count(const struct journal_group *g);
const struct record *journal_group_at(const struct journal_group *g, size_t i);
/* What it takes of memory. */
size_t journal_group_bytes(const struct journal_group *g);
/* In its completion: was this RECORD_QUEUE stored? Was it refused, as its queue or its user's share
 * is full? Neither: its session has ended meanwhile, or the message no longer needs the store. */
bool journal_group_stored(const struct journal_group *g, size_t i);
bool journal_group_refused(const struct journal_group *g, size_t i);
void journal_group_free(struct journal_group *g); /* one that was never appended */

/* --- for the implementations --- */

/* Give its queue records their positions: under the journal's lock where positions must have the
 * order of appending. */
void journal_group_number(struct journal_group *g, struct journal *j, uint64_t *first_position);
/* It waits from now on, until it is freed. */
void journal_group_count_waiting(struct journal_group *g, struct journal *j);
/* Send the completion; the group may be gone at once. */
void journal_group_complete(struct journal_group *g, int status);
/* It is done and nobody waits for it: freed, unless a notification has yet to be delivered. */
void journal_group_release(struct journal_group *g);

#endif
