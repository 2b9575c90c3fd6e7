/* Tables on disk: ordered rows of bytes, one writer, transactions that are all or nothing.  The
 * journal knows what is in the rows, this layer does not; it checksums each row with a checksum, so
 * that what comes back is what went in, or an error.  Two implementations: LMDB (disk_lmdb.c, the
 * only file that includes lmdb.h) and memory (disk_memory.c: tests and the simulation; it forgets
 * what was not committed, and fails when told).  Thread: the one that opened it hands it to the
 * journal's; from then on that one alone. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Keys are fixed-size numbers (big endian, so that their order is the table's) or hashes; names are
 * values.  The names and numbers of tables are part of the format: a new one stands at the end and
 * makes a new format (disk_format.c). */
enum disk_table {
	TABLE_META,
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
#define DISK_TABLES_MAX 32
_Static_assert(TABLES <= DISK_TABLES_MAX, "all tables have a number");

struct disk;
struct disk_formats; /* disk_inside.h */

#define DISK_ERROR_TEXT 512
#define DISK_FORMAT     1

struct disk_options {
	const char *directory; /* made with mode 0700 where it is missing */
	uint64_t max_bytes;    /* how far the file may grow; 0: as far as the machine lets it */
	uint32_t first_map;    /* bytes of the first map, 0: the default (tests make it small) */
	/* NULL: those that this version knows (a test knows one more). */
	const struct disk_formats *formats;
};

/* Lock the directory, verify the file that is there (disk_verify.h), open it.  0 or -errno; *text
 * says what is wrong and what to do: in use by process N, damaged, not ours, of a later version,
 * not writable. Nothing is ever emptied or repaired silently.  A store of an older format is
 * upgraded, in one transaction: where that fails, it is what it was. */
int disk_open(const struct disk_options *options, char text[DISK_ERROR_TEXT], struct disk **out);
void disk_close(struct disk *d); /* NULL is fine; unlocks */
/* The format it had before it was opened, where that was an older one; 0: it was ours, or new. */
uint32_t disk_upgraded_from(const struct disk *d);

/* --- one transaction at a time; reads are part of it and see its own changes --- */
int disk_begin(struct disk *d);
/* Keys have 1 to 511 bytes; those of TABLE_META do not begin with '~', and "format" and "commit"
 * are taken. */
int disk_put(struct disk *d, enum disk_table table, struct slice key, struct slice value);
int disk_get(struct disk *d, enum disk_table table, struct slice key,
             struct slice *value); /* -ENOENT; borrowed until the next change */
int disk_delete(struct disk *d, enum disk_table table, struct slice key); /* -ENOENT */
/* Rows from `from` on (empty: all), in order, until `visit` returns false. `visit` changes nothing.
 */
typedef bool disk_visit_fn(void *arg, struct slice key, struct slice value);
int disk_scan(struct disk *d, enum disk_table table, struct slice from, disk_visit_fn *visit,
              void *arg);
/* 0: it is on disk (fsync included).  Errors of any of these end the transaction, nothing of it is
 * kept:
 *   -EAGAIN            the map had to grow: begin again and do everything anew, at once
 *   -ENOSPC, -EDQUOT   no space (or max_bytes is reached): begin again later
 *   -EBADMSG           a row's checksum is wrong: the file is damaged
 *   anything else      the disk fails: disk_is_failed() is true from now on, and nothing is tried
 *                      again, a failed fsync least of all. */
int disk_commit(struct disk *d);
void disk_abort(struct disk *d); /* fine where none is open */
bool disk_is_failed(const struct disk *d);
/* The time of this commit, if it is later than the wall clock's; left out: that. */
void disk_timestamp(struct disk *d, uint64_t time_ms);

struct disk_status {
	uint64_t map_bytes, file_bytes, used_bytes, max_bytes;
	uint64_t transaction; /* number of the last one committed */
	uint64_t rows[DISK_TABLES_MAX];
};
void disk_status(struct disk *d, struct disk_status *out); /* outside of a transaction */

/* To take rows away needs room, too: so much is kept for that, an eighth of max_bytes where that is
 * less. */
#define DISK_RESERVE ((uint64_t)4 << 20)
enum disk_bound {
	DISK_BOUND_NONE,
	DISK_BOUND_SIZE,        /* max_bytes */
	DISK_BOUND_FILE_SYSTEM, /* which cannot give the reserve any more */
};
/* How many bytes may be added and leave the reserve alone, UINT64_MAX: no end is known; *bound:
 * what says so. Outside of a transaction. */
uint64_t disk_space(struct disk *d, const struct disk_status *status, enum disk_bound *bound);

/* The newest of: the time in the last commit, and the last time noted without one.  ms since 1970;
 * 0: never. */
uint64_t disk_time_ms(const struct disk *d);
/* Note the time beside the tables, without an fsync: how long the broker was down, after a crash.
 */
void disk_note_time(struct disk *d, uint64_t wall_ms);

/* Everything was read: what was mapped for it need not stay in memory. Outside of a transaction. */
void disk_release(struct disk *d);

/* --- memory: what a crash leaves --- */
struct disk_image; /* outlives the disk: the committed rows */
struct disk_image *disk_image_new(void);
void disk_image_free(struct disk_image *image);
struct disk *disk_memory_open(struct disk_image *image); /* one at a time */
/* As with max_bytes, 0: no bound; and as if there were so many bytes more. */
void disk_image_bound(struct disk_image *image, uint64_t max_bytes, uint64_t ballast_bytes);
bool disk_image_is_bound(const struct disk_image *image);
uint64_t disk_image_bytes(const struct disk_image *image);
/* The next `count` commits fail with `error` (-ENOSPC, -EIO, ...). */
void disk_image_fail(struct disk_image *image, unsigned count, int error);
/* Break the checksum of that row; false: there is none. */
bool disk_image_damage(struct disk_image *image, enum disk_table table, struct slice key);

#endif
