/* Tables on disk: ordered rows of bytes, one writer, transactions that are all or nothing.  The
 * journal knows what is in the rows, this layer does not; it checksums each row with a checksum, so
 * that what comes back is what went in, or an error.  Two implementations: LMDB (store_lmdb.c, the
 * only file that includes lmdb.h) and memory (store_memory.c: tests and the simulation; it forgets
 * what was not committed, and fails when told).  Thread: the one that opened it hands it to the
 * journal's; from then on that one alone. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Keys are fixed-size numbers (big endian, so that their order is the table's) or hashes; names are
 * values.  The names and numbers of tables are part of the format: a new one stands at the end and
 * makes a new format (store_format.c). */
enum store_table {
	TABLE_META,
	/* mutant: store_table_numbers */
	TABLE_SESSION,      /* session id */
	TABLE_ENDING,       /* session id: ended, its rows go bit by bit */
	TABLE_SUBSCRIPTION, /* session id, number */
	TABLE_INBOUND,      /* session id, packet identifier */
	TABLE_QUEUE,        /* session id, position */
	TABLE_SENT,         /* session id, position */
	TABLE_BODY,         /* body id: a message that several queues wait for */
	TABLE_BODY_REFS,    /* body id: how many */
	TABLE_RETAINED,     /* 16 bytes of SHA-256 of the topic */
	TABLE_WILL,         /* session id */
	TABLE_REPLAY,       /* session id, number of the subscription */
	TABLES,
};

/* Tables of any format that is to come have numbers below it. */
#define STORE_TABLES_MAX 32
_Static_assert(TABLES <= STORE_TABLES_MAX, "all tables have a number");

struct store;
struct store_formats; /* store_inside.h */

#define STORE_ERROR_TEXT 512
#define STORE_FORMAT     1

struct store_options {
	const char *directory; /* made with mode 0700 where it is missing */
	uint64_t max_bytes;    /* how far the file may grow; 0: as far as the machine lets it */
	uint32_t first_map;    /* bytes of the first map, 0: the default (tests make it small) */
	/* NULL: those that this version knows (a test knows one more). */
	const struct store_formats *formats;
};

/* Lock the directory, verify the file that is there (store_verify.h), open it.  0 or -errno; *text
 * says what is wrong and what to do: in use by process N, damaged, not ours, of a later version,
 * not writable. Nothing is ever emptied or repaired silently.  A store of an older format is
 * upgraded, in one transaction: where that fails, it is what it was. */
int store_open(const struct store_options *options, char text[STORE_ERROR_TEXT],
               struct store **out);
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
/* Rows from `from` on (empty: all), in order, until `visit` returns false. `visit` changes nothing.
 */
typedef bool store_visit_fn(void *arg, struct slice key, struct slice value);
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

struct store_status {
	uint64_t map_bytes, file_bytes, used_bytes, max_bytes;
	uint64_t transaction; /* number of the last one committed */
	uint64_t rows[STORE_TABLES_MAX];
};
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

/* --- memory: what a crash leaves --- */
struct store_image; /* outlives the disk: the committed rows */
struct store_image *store_image_new(void);
void store_image_free(struct store_image *image);
struct store *store_memory_open(struct store_image *image); /* one at a time */
/* As with max_bytes, 0: no bound; and as if there were so many bytes more. */
void store_image_bound(struct store_image *image, uint64_t max_bytes, uint64_t ballast_bytes);
bool store_image_is_bound(const struct store_image *image);
uint64_t store_image_bytes(const struct store_image *image);
/* The next `count` commits fail with `error` (-ENOSPC, -EIO, ...). */
void store_image_fail(struct store_image *image, unsigned count, int error);
/* Break the checksum of that row; false: there is none. */
bool store_image_damage(struct store_image *image, enum store_table table, struct slice key);

#endif
