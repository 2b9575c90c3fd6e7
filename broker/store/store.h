/* Tables on disk: ordered rows of bytes, one writer, transactions that are all or nothing.  The
 * journal knows what is in the rows, this layer does not: it adds a checksum to each, so that what
 * comes back is what went in, or an error.  Thread: the one that opened a store gives it to the
 * journal's; from then on only that one uses it. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <errno.h>

#include "store/store_tables.h"

struct store;

void store_close(struct store *store); /* NULL is fine; unlocks */
/* The format it had before it was opened, where that was an older one; 0: it was ours, or new. */
uint32_t store_upgraded_from(const struct store *store);

/* --- transactions: one at a time; reads are part of it and see its own changes ---
 *
 * The first error of a transaction sticks: whatever is called after it does nothing and finds
 * nothing, and store_commit returns it.  What was read before stays readable until then.
 *
 *   -EAGAIN            the map has to grow: begin again and repeat everything, at once
 *   -ENOSPC, -EDQUOT   no space (or max_bytes is reached): begin again later
 *   -EBADMSG           a row is damaged: its checksum is wrong, or the caller said so
 *   others from below  the disk fails: store_is_failed() is true from now on, and nothing is tried
 *                      again, a failed fsync least of all. */

void store_begin(struct store *store);
/* Keys have 1 to 511 bytes; those of TABLE_META do not begin with '~', and "format" and "commit"
 * are taken. */
void store_put(struct store *store, enum store_table table, struct slice key, struct slice value);
/* False: there is no such row, or the transaction has failed.  *value is borrowed until the next
 * change. */
bool store_get(struct store *store, enum store_table table, struct slice key, struct slice *value);
/* Was there such a row? */
bool store_delete(struct store *store, enum store_table table, struct slice key);
/* Rows from `from` on (empty: all), in order, until `visit` returns false. `visit` changes nothing.
 */
void store_scan(struct store *store, enum store_table table, struct slice from,
                store_visit_fn *visit, void *arg);
/* Let there be all tables with a number below `count`. */
void store_make_tables(struct store *store, unsigned count);
/* The caller cannot go on with what it found. */
void store_fail(struct store *store, int error);
/* A row that cannot be read is damage: the transaction fails unless `readable`, which is returned.
 */
static inline bool store_expect(struct store *store, bool readable)
{
	if (!readable)
		store_fail(store, -EBADMSG);
	return readable;
}
int store_error(const struct store *store); /* of the open transaction, until now: 0 or -errno */
bool store_has_changes(const struct store *store); /* this transaction, or the last one */
/* The store time of this commit, with what the wall clock shows now; left out: that of the last
 * one. */
void store_timestamp(struct store *store, uint64_t time_ms);
/* 0: it is on disk (fsync included), or changed nothing.  In any case the transaction has ended;
 * after an error nothing of it is in the store. */
int store_commit(struct store *store);
void store_abort(struct store *store); /* fine where none is open */
bool store_is_failed(const struct store *store);

/* --- outside of a transaction --- */

void store_status(struct store *store, struct store_status *out);

/* Removing rows needs space, too: this much is reserved for it, or an eighth of max_bytes where
 * that is less. */
#define STORE_RESERVE ((uint64_t)4 << 20)
enum store_bound {
	STORE_BOUND_NONE,
	STORE_BOUND_SIZE,        /* max_bytes */
	STORE_BOUND_FILE_SYSTEM, /* which cannot give the reserve any more */
};
/* How many bytes may be added without touching the reserve, UINT64_MAX: no limit is known; *bound:
 * what limits it. */
uint64_t store_space(struct store *store, const struct store_status *status,
                     enum store_bound *bound);

/* The later of: the time of the last commit, and the last time saved without one. */
struct store_time store_last_time(const struct store *store);
/* Save the time beside the tables, without an fsync: after a crash it says how long the broker was
 * down. */
void store_save_time(struct store *store, uint64_t time_ms);

/* Everything was read: what was mapped for it need not stay in memory. */
void store_release(struct store *store);

#endif
