/* Tables on disk: ordered rows of bytes, one writer, transactions that are all or nothing.  The
 * journal knows what is in the rows, this layer does not; it checksums each row with a checksum, so
 * that what comes back is what went in, or an error.  Two implementations: LMDB (store_lmdb.c, the
 * only file that includes lmdb.h) and memory (store_memory.c: tests and the simulation; it forgets
 * what was not committed, and fails when told).  Thread: the one that opened it hands it to the
 * journal's; from then on that one alone. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "store/store_tables.h"

struct store;

void store_close(struct store *d); /* NULL is fine; unlocks */
/* The format it had before it was opened, where that was an older one; 0: it was ours, or new. */
uint32_t store_upgraded_from(const struct store *d);

/* --- one transaction at a time; reads are part of it and see its own changes --- */
int store_begin(struct store *d);
/* Keys have 1 to 511 bytes; those of TABLE_META do not begin with '~', and "format" and "commit"
 * are taken. */
int store_put(struct store *d, enum store_table table, struct slice key, struct slice value);
int store_get(struct store *d, enum store_table table, struct slice key,
              struct slice *value); /* -ENOENT; borrowed until the next change */
int store_delete(struct store *d, enum store_table table, struct slice key); /* -ENOENT */
/* Let there be all tables with a number below `count`. */
int store_make_tables(struct store *d, unsigned count);
/* Rows from `from` on (empty: all), in order, until `visit` returns false. `visit` changes nothing.
 */
int store_scan(struct store *d, enum store_table table, struct slice from, store_visit_fn *visit,
               void *arg);
/* 0: it is on disk (fsync included).  Errors of any of these end the transaction, nothing of it is
 * kept:
 *   -EAGAIN            the map had to grow: begin again and do everything anew, at once
 *   -ENOSPC, -EDQUOT   no space (or max_bytes is reached): begin again later
 *   -EBADMSG           a row's checksum is wrong: the file is damaged
 *   anything else      the disk fails: store_is_failed() is true from now on, and nothing is tried
 *                      again, a failed fsync least of all. */
int store_commit(struct store *d);
void store_abort(struct store *d); /* fine where none is open */
bool store_is_failed(const struct store *d);
/* The time of this commit, if it is later than the wall clock's; left out: that. */
void store_timestamp(struct store *d, uint64_t time_ms);

void store_status(struct store *d, struct store_status *out); /* outside of a transaction */

/* To take rows away needs room, too: so much is kept for that, an eighth of max_bytes where that is
 * less. */
#define STORE_RESERVE ((uint64_t)4 << 20)
enum store_bound {
	STORE_BOUND_NONE,
	STORE_BOUND_SIZE,        /* max_bytes */
	STORE_BOUND_FILE_SYSTEM, /* which cannot give the reserve any more */
};
/* How many bytes may be added and leave the reserve alone, UINT64_MAX: no end is known; *bound:
 * what says so. Outside of a transaction. */
uint64_t store_space(struct store *d, const struct store_status *status, enum store_bound *bound);

/* The newest of: the time in the last commit, and the last time noted without one.  ms since 1970;
 * 0: never. */
uint64_t store_time_ms(const struct store *d);
/* Note the time beside the tables, without an fsync: how long the broker was down, after a crash.
 */
void store_note_time(struct store *d, uint64_t wall_ms);

/* Everything was read: what was mapped for it need not stay in memory. Outside of a transaction. */
void store_release(struct store *d);

#endif
