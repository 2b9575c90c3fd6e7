/* Tables in LMDB, with its strongest promises: data pages are flushed before the meta page is
 * written through a descriptor that waits for the disk.  The map grows between transactions; this
 * thread is the only one here, so nobody stands in the way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/alloc.h"
#include "store/disk_inside.h"
#include "store/disk_lock.h"

#define DISK_PATH_MAX 320 /* what its messages have room for */
#define FIRST_MAP     ((size_t)64 << 20)
/* Where the machine's addresses end before its disk does. */
#define MAP_MOST (sizeof(void *) == 4 ? (uint64_t)1 << 30 : (uint64_t)1 << 46)
/* LMDB calls a short write an I/O error; on a file system as full as this it was for want of room.
 */
#define FULL_BYTES ((uint64_t)4 << 20)

struct lmdb {
	struct disk disk; /* first */
	struct disk_lock lock;
	struct disk_note note;
	char *directory;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi tables[TABLES];
	uint64_t map_bytes, max_bytes;
};

static struct lmdb *lmdb_of(struct disk *d)
{
	return (struct lmdb *)d;
}

static MDB_val val_of(struct slice s)
{
	union {
		const uint8_t *borrowed;
		void *data;
	} bytes = {.borrowed = s.data};

	return (MDB_val){.mv_size = s.len, .mv_data = bytes.data};
}

static struct slice slice_of_val(const MDB_val *v)
{
	return slice_of(v->mv_data, v->mv_size);
}

/* --- errors --- */

static bool file_system_is_full(const struct lmdb *l)
{
	struct statvfs fs;

	return statvfs(l->directory, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES;
}

static int error_of(const struct lmdb *l, int rc)
{
	if (rc == 0)
		return 0;
	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID)
		return -EBADMSG;
	if (rc == EIO && file_system_is_full(l))
		return -ENOSPC;
	return rc > 0 ? -rc : -EIO; /* MDB_PANIC, MDB_BAD_TXN, ... */
}

/* The open transaction is aborted by disk.c, and the map grown when the next begins. */
static int full_of(struct lmdb *l, int rc)
{
	uint64_t bytes = l->map_bytes * 2;

	if (rc != MDB_MAP_FULL)
		return error_of(l, rc);
	if (l->map_bytes >= l->max_bytes)
		return -ENOSPC;
	l->map_bytes = bytes < l->max_bytes ? bytes : l->max_bytes;
	return -EAGAIN;
}

/* --- transactions --- */

static int lmdb_begin(struct disk *d)
{
	struct lmdb *l = lmdb_of(d);
	MDB_envinfo info;
	int rc = mdb_env_info(l->env, &info);

	if (rc == 0 && info.me_mapsize < l->map_bytes)
		rc = mdb_env_set_mapsize(l->env, l->map_bytes);
	if (rc == 0)
		rc = mdb_txn_begin(l->env, NULL, 0, &l->txn);
	return error_of(l, rc);
}

static uint64_t lmdb_number(struct disk *d)
{
	return mdb_txn_id(lmdb_of(d)->txn);
}

static int lmdb_put(struct disk *d, enum disk_table table, struct slice key, struct slice value,
                    uint64_t seal)
{
	struct lmdb *l = lmdb_of(d);
	MDB_val k = val_of(key), v = {.mv_size = value.len + DISK_SEAL_BYTES};
	int rc = mdb_put(l->txn, l->tables[table], &k, &v, MDB_RESERVE);
	uint8_t *at = v.mv_data;

	if (rc != 0)
		return full_of(l, rc);
	if (value.len > 0)
		memcpy(at, value.data, value.len);
	for (unsigned i = 0; i < DISK_SEAL_BYTES; i++)
		at[value.len + i] = (uint8_t)(seal >> (56 - 8 * i));
	return 0;
}

static int lmdb_get(struct disk *d, enum disk_table table, struct slice key, struct slice *row)
{
	struct lmdb *l = lmdb_of(d);
	MDB_val k = val_of(key), v;
	int rc = mdb_get(l->txn, l->tables[table], &k, &v);

	if (rc == 0)
		*row = slice_of_val(&v);
	return error_of(l, rc);
}

static int lmdb_remove(struct disk *d, enum disk_table table, struct slice key)
{
	struct lmdb *l = lmdb_of(d);
	MDB_val k = val_of(key);

	return full_of(l, mdb_del(l->txn, l->tables[table], &k, NULL));
}

static int lmdb_scan(struct disk *d, enum disk_table table, struct slice from, disk_visit_fn *visit,
                     void *arg)
{
	struct lmdb *l = lmdb_of(d);
	MDB_val k = val_of(from), v;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(l->txn, l->tables[table], &cursor);

	if (rc != 0)
		return error_of(l, rc);
	rc = mdb_cursor_get(cursor, &k, &v, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
	while (rc == 0 && visit(arg, slice_of_val(&k), slice_of_val(&v)))
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : error_of(l, rc);
}

static int lmdb_commit(struct disk *d)
{
	struct lmdb *l = lmdb_of(d);
	uint64_t number = mdb_txn_id(l->txn);
	int rc = mdb_txn_commit(l->txn);

	l->txn = NULL;
	if (rc == 0)
		l->note.transaction = number;
	return full_of(l, rc);
}

static void lmdb_abort(struct disk *d)
{
	struct lmdb *l = lmdb_of(d);

	if (l->txn != NULL)
		mdb_txn_abort(l->txn);
	l->txn = NULL;
}

static void lmdb_status(struct disk *d, struct disk_status *out)
{
	struct lmdb *l = lmdb_of(d);
	MDB_envinfo info;
	MDB_txn *txn;
	MDB_stat stat;

	if (mdb_env_info(l->env, &info) != 0 || mdb_env_stat(l->env, &stat) != 0)
		return;
	out->map_bytes = info.me_mapsize;
	out->used_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
	out->max_bytes = l->max_bytes;
	out->transaction = info.me_last_txnid;
	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
		return;
	for (unsigned i = 0; i < TABLES; i++) {
		if (mdb_stat(txn, l->tables[i], &stat) == 0)
			out->rows[i] = stat.ms_entries;
	}
	mdb_txn_abort(txn);
}

static void lmdb_note(struct disk *d, uint64_t time_ms)
{
	struct lmdb *l = lmdb_of(d);

	l->note.time_ms = time_ms;
	disk_note_write(&l->lock, &l->note);
}

static void lmdb_close(struct disk *d)
{
	struct lmdb *l = lmdb_of(d);

	if (l->env != NULL)
		mdb_env_close(l->env);
	disk_lock_drop(&l->lock);
	free(l->directory);
	free(l);
}

static const struct disk_ops lmdb_ops = {
    .begin = lmdb_begin,
    .number = lmdb_number,
    .put = lmdb_put,
    .get = lmdb_get,
    .remove = lmdb_remove,
    .scan = lmdb_scan,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .status = lmdb_status,
    .note = lmdb_note,
    .close = lmdb_close,
};

/* --- opening --- */

static int refuse(const struct lmdb *l, int rc, const char *what, char text[DISK_ERROR_TEXT])
{
	(void)snprintf(text, DISK_ERROR_TEXT, "%s: %s: %s", l->directory, what,
	               rc == MDB_VERSION_MISMATCH || rc < -30700 ? mdb_strerror(rc) : strerror(rc));
	return error_of(l, rc) == 0 ? -EIO : error_of(l, rc);
}

/* Before LMDB maps it. */
static int verify(struct lmdb *l, char text[DISK_ERROR_TEXT])
{
	struct {
		uint64_t transaction;
	} verified = {.transaction = UINT64_MAX};
	char path[DISK_PATH_MAX];
	struct stat st;
	bool there;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", l->directory, DISK_DATA_FILE);
	there = stat(path, &st) == 0;
	/* The first commit never came: two meta pages, or less of them. */
	if (there && l->note.transaction == 0 && st.st_size <= 2 * sysconf(_SC_PAGESIZE)) {
		(void)unlink(path);
		there = false;
	}
	if (!there && l->note.transaction == 0)
		return 0; /* a new one */
	rc = there ? 0 : -ENOENT;
	if (!there)
		(void)snprintf(text, DISK_ERROR_TEXT, "%s is missing, and there was one", path);
	if (rc == 0 && verified.transaction < l->note.transaction) {
		(void)snprintf(text, DISK_ERROR_TEXT,
		               "%s is older than what was acknowledged (transaction %llu, there "
		               "were %llu)",
		               path, (unsigned long long)verified.transaction,
		               (unsigned long long)l->note.transaction);
		rc = -EBADMSG;
	}
	return rc;
}

static void add_remedy(const struct lmdb *l, char text[DISK_ERROR_TEXT])
{
	size_t len = strlen(text);

	(void)snprintf(text + len, DISK_ERROR_TEXT - len,
	               "; see `broker-store %s check`, restore a backup with `broker-store %s "
	               "restore FROM`, or move the directory away to begin anew",
	               l->directory, l->directory);
}

static int open_tables(struct lmdb *l)
{
	int rc = mdb_txn_begin(l->env, NULL, 0, &l->txn);

	for (unsigned i = 0; rc == 0 && i < TABLES; i++)
		rc = mdb_dbi_open(l->txn, disk_table_name(i), MDB_CREATE, &l->tables[i]);
	if (rc != 0) {
		lmdb_abort(&l->disk);
		return rc;
	}
	rc = mdb_txn_commit(l->txn);
	l->txn = NULL;
	return rc;
}

static uint64_t first_map(const struct lmdb *l, const struct disk_options *options)
{
	uint64_t bytes = options->first_map > 0 ? options->first_map : FIRST_MAP;

	return bytes < l->max_bytes ? bytes : l->max_bytes;
}

static int open_environment(struct lmdb *l, const struct disk_options *options,
                            char text[DISK_ERROR_TEXT])
{
	MDB_envinfo info;
	int dead, rc = mdb_env_create(&l->env);

	if (rc == 0)
		rc = mdb_env_set_maxdbs(l->env, TABLES + 4);
	if (rc == 0)
		rc = mdb_env_set_mapsize(l->env, first_map(l, options));
	if (rc == 0)
		rc = mdb_env_open(l->env, l->directory, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_reader_check(l->env, &dead);
	if (rc == 0)
		rc = open_tables(l);
	if (rc == 0)
		rc = mdb_env_info(l->env, &info);
	if (rc != 0)
		return refuse(l, rc, "the store cannot be opened", text);
	l->map_bytes = info.me_mapsize;
	l->note.transaction = info.me_last_txnid;
	return 0;
}

int disk_open(const struct disk_options *options, char text[DISK_ERROR_TEXT], struct disk **out)
{
	struct lmdb *l = xnew(l);
	int rc;

	*out = NULL;
	l->disk.ops = &lmdb_ops;
	l->directory = slice_dup(slice_of_str(options->directory));
	l->max_bytes =
	    options->max_bytes > 0 && options->max_bytes < MAP_MOST ? options->max_bytes : MAP_MOST;
	rc = disk_lock_take(l->directory, &l->lock, text);
	if (rc == 0) {
		disk_note_read(&l->lock, &l->note);
		l->disk.time_ms = l->note.time_ms;
		rc = verify(l, text);
		if (rc != 0)
			add_remedy(l, text);
	}
	if (rc == 0)
		rc = open_environment(l, options, text);
	if (rc == 0)
		rc = disk_settle(&l->disk, text);
	if (rc == 0)
		rc = disk_lock_sync(l->directory, text);
	if (rc != 0) {
		lmdb_close(&l->disk);
		return rc;
	}
	*out = &l->disk;
	return 0;
}
