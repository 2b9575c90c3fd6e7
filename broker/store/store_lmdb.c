/* Tables in LMDB, with its strongest guarantees: data pages are flushed before the meta page is
 * written through a descriptor with O_DSYNC.  TABLE_META is LMDB's main tree, which holds the
 * records of the other tables as well: every commit writes its page anyway.  The map grows between
 * transactions, which is possible as only one thread uses it. */
#include "store/store_lmdb.h"

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
#include "base/require.h"
#include "store/store_backend.h"
#include "store/store_progress.h"

/* LMDB reports a short write as an I/O error; with less free space than this, the disk was full. */
#define FULL_BYTES ((uint64_t)4 << 20)
/* LMDB's header and its table of 126 readers, its default. */
#define LOCK_FILE_BYTES 8192

struct lmdb {
	struct store store; /* first */
	struct store_lock lock;
	struct store_last_commit last_commit;
	const struct store_formats *formats;
	char *path;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi tables[STORE_TABLES_MAX];
	bool opened[STORE_TABLES_MAX];
	bool made[STORE_TABLES_MAX]; /* by the open transaction */
	bool read_only;
	uint64_t map_bytes, max_bytes;
	uint64_t reserved_to; /* the file has blocks up to here, at least */
	struct buf row;       /* being put: a copy, as the value may be in a page that moves */
};

static struct lmdb *lmdb_of(struct store *store)
{
	return (struct lmdb *)store;
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

	return statvfs(l->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES;
}

static int error_of(const struct lmdb *l, int rc)
{
	if (rc == 0)
		return 0;
	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID)
		return -EBADMSG;
	if (rc == EFBIG || (rc == EIO && file_system_is_full(l)))
		return -ENOSPC;
	return rc > 0 && rc != EAGAIN ? -rc : -EIO; /* MDB_PANIC, MDB_BAD_TXN, ... */
}

/* A reader that was killed prevents that pages are used again: remove it. */
static bool freed_from_readers(struct lmdb *l)
{
	int dead = 0;

	return mdb_reader_check(l->env, &dead) == 0 && dead > 0;
}

/* store.c aborts the open transaction, and the map grows when the next one begins. */
static int full_of(struct lmdb *l, int rc)
{
	uint64_t bytes = l->map_bytes * 2;

	if (rc != MDB_MAP_FULL)
		return error_of(l, rc);
	if (freed_from_readers(l))
		return -EAGAIN;
	if (l->map_bytes >= l->max_bytes)
		return -ENOSPC;
	l->map_bytes = bytes < l->max_bytes ? bytes : l->max_bytes;
	return -EAGAIN;
}

/* --- transactions --- */

/* LMDB unmaps the file before it maps it again: check that there are addresses. */
static bool has_addresses(uint64_t bytes)
{
	void *at = (size_t)bytes == bytes ? mmap(NULL, (size_t)bytes, PROT_NONE,
	                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
	                                  : MAP_FAILED;

	return at != MAP_FAILED && munmap(at, (size_t)bytes) == 0;
}

static int grow(struct lmdb *l)
{
	MDB_envinfo info;
	int rc = mdb_env_info(l->env, &info);

	if (rc != 0 || info.me_mapsize >= l->map_bytes)
		return rc;
	if (has_addresses(l->map_bytes))
		return mdb_env_set_mapsize(l->env, (size_t)l->map_bytes);
	l->map_bytes = info.me_mapsize;
	return ENOSPC;
}

static int lmdb_begin(struct store *store)
{
	struct lmdb *l = lmdb_of(store);
	unsigned flags = l->read_only ? MDB_RDONLY : 0;
	int rc;

	REQUIRE(l->txn == NULL);
	rc = l->read_only ? 0 : grow(l);
	if (rc == 0)
		rc = mdb_txn_begin(l->env, NULL, flags, &l->txn);
	if (rc == MDB_MAP_RESIZED) { /* by the broker that writes */
		rc = mdb_env_set_mapsize(l->env, 0);
		if (rc == 0)
			rc = mdb_txn_begin(l->env, NULL, flags, &l->txn);
	}
	return error_of(l, rc);
}

static uint64_t lmdb_number(struct store *store)
{
	return mdb_txn_id(lmdb_of(store)->txn);
}

static int lmdb_put(struct store *store, enum store_table table, struct slice key,
                    struct slice value, uint64_t checksum)
{
	struct lmdb *l = lmdb_of(store);
	MDB_val k = val_of(key), v;

	REQUIRE(l->opened[table] && !l->read_only);
	buf_clear(&l->row);
	buf_put_slice(&l->row, value);
	buf_put_u64(&l->row, checksum);
	v = val_of(buf_slice(&l->row));
	return full_of(l, mdb_put(l->txn, l->tables[table], &k, &v, 0));
}

static int lmdb_get(struct store *store, enum store_table table, struct slice key,
                    struct slice *row)
{
	struct lmdb *l = lmdb_of(store);
	MDB_val k = val_of(key), v;
	int rc;

	if (!l->opened[table])
		return -ENOENT;
	rc = mdb_get(l->txn, l->tables[table], &k, &v);
	if (rc == 0)
		*row = slice_of_val(&v);
	return error_of(l, rc);
}

static int lmdb_remove(struct store *store, enum store_table table, struct slice key)
{
	struct lmdb *l = lmdb_of(store);
	MDB_val k = val_of(key);

	REQUIRE(l->opened[table] && !l->read_only);
	return full_of(l, mdb_del(l->txn, l->tables[table], &k, NULL));
}

/* The record of a table is no row. */
static bool is_table(enum store_table table, const MDB_val *key)
{
	return table == TABLE_META && *(const uint8_t *)key->mv_data == STORE_TABLE_MARK;
}

static int lmdb_scan(struct store *store, enum store_table table, struct slice from,
                     store_visit_fn *visit, void *arg)
{
	struct lmdb *l = lmdb_of(store);
	MDB_val k = val_of(from), v;
	MDB_cursor *cursor;
	int rc;

	if (!l->opened[table]) /* of an older format that is only read */
		return 0;
	rc = mdb_cursor_open(l->txn, l->tables[table], &cursor);
	if (rc != 0)
		return error_of(l, rc);
	rc = mdb_cursor_get(cursor, &k, &v, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
	while (rc == 0 && (is_table(table, &k) || visit(arg, slice_of_val(&k), slice_of_val(&v))))
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : error_of(l, rc);
}

/* When a transaction fails, LMDB closes the tables that it made. */
static void settle_made(struct lmdb *l, bool committed)
{
	for (unsigned i = 0; i < STORE_TABLES_MAX; i++) {
		/* mutant: store_upgrade_stale_tables */
		if (l->made[i] && !committed)
			l->opened[i] = false;
		l->made[i] = false;
	}
}

static int lmdb_commit(struct store *store)
{
	struct lmdb *l = lmdb_of(store);
	uint64_t number;
	int rc;

	REQUIRE(l->txn != NULL && !l->read_only);
	number = mdb_txn_id(l->txn);
	rc = mdb_txn_commit(l->txn);
	l->txn = NULL;
	settle_made(l, rc == 0);
	if (rc == 0)
		l->last_commit.transaction = number;
	return full_of(l, rc);
}

static void lmdb_abort(struct store *store)
{
	struct lmdb *l = lmdb_of(store);

	if (l->txn != NULL)
		mdb_txn_abort(l->txn);
	l->txn = NULL;
	settle_made(l, false);
}

static int open_table(struct lmdb *l, enum store_table table, unsigned flags)
{
	char name[32] = {STORE_TABLE_MARK};
	int rc;

	(void)snprintf(name + 1, sizeof(name) - 1, "%s", l->formats->table_names[table]);
	rc = mdb_dbi_open(l->txn, table == TABLE_META ? NULL : name, flags, &l->tables[table]);
	l->opened[table] = rc == 0;
	return rc;
}

static int lmdb_make_tables(struct store *store, unsigned count)
{
	struct lmdb *l = lmdb_of(store);
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < count; i++) {
		if (l->opened[i])
			continue;
		rc = open_table(l, i, MDB_CREATE);
		l->made[i] = rc == 0;
		store->changed = true;
	}
	return full_of(l, rc);
}

static uint64_t tree_pages(const MDB_stat *stat)
{
	return (uint64_t)stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

static void lmdb_status(struct store *store, struct store_status *out)
{
	struct lmdb *l = lmdb_of(store);
	uint64_t pages = 2;
	unsigned others = 0;
	MDB_stat stat = {0};
	MDB_envinfo info;
	MDB_txn *txn;

	if (mdb_env_info(l->env, &info) != 0)
		return;
	out->map_bytes = info.me_mapsize;
	out->file_bytes = info.me_last_pgno + 1; /* pages, until their size is known */
	out->max_bytes = l->max_bytes;
	out->transaction = info.me_last_txnid;
	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
		return;
	for (unsigned i = 0; i < STORE_TABLES_MAX; i++) {
		if (!l->opened[i] || mdb_stat(txn, l->tables[i], &stat) != 0)
			continue;
		out->rows[i] = stat.ms_entries;
		pages += tree_pages(&stat);
		others += i != TABLE_META;
	}
	out->rows[TABLE_META] -= others;
	if (mdb_stat(txn, 0, &stat) == 0) /* the list of free pages */
		pages += tree_pages(&stat);
	out->used_bytes = pages * stat.ms_psize;
	out->file_bytes *= stat.ms_psize;
	mdb_txn_abort(txn);
}

static int allocate(int fd, uint64_t from, uint64_t to)
{
	int rc;

	do {
		rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0
		         ? 0
		         : errno;
	} while (rc == EINTR);
	return rc;
}

/* Allocate blocks after the end of the file, `more` than asked for where there is space. */
static bool reserve_to(struct lmdb *l, uint64_t from, uint64_t to, uint64_t more)
{
	mdb_filehandle_t fd;
	int rc = mdb_env_get_fd(l->env, &fd);

	if (rc == 0)
		rc = allocate(fd, from, to + more);
	if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
		return more > 0 && reserve_to(l, from, to, 0);
	l->reserved_to = rc == 0 ? to + more : UINT64_MAX; /* not every file system supports this */
	return true;
}

/* Free pages of the file count, then blocks after its end. */
static bool lmdb_reserve(struct store *store, const struct store_status *status, uint64_t bytes)
{
	struct lmdb *l = lmdb_of(store);
	uint64_t end = status->file_bytes, free_bytes = end - status->used_bytes;
	uint64_t to = free_bytes < bytes ? end + bytes - free_bytes : 0;

	if (to > l->max_bytes)
		to = l->max_bytes;
	if (bytes > l->max_bytes - to)
		bytes = l->max_bytes - to;
	return to <= l->reserved_to || reserve_to(l, end, to, bytes);
}

static void lmdb_save_time(struct store *store, struct store_time time)
{
	struct lmdb *l = lmdb_of(store);

	l->last_commit.time = time;
	store_last_commit_write(&l->lock, &l->last_commit);
}

static void lmdb_release(struct store *store)
{
	struct lmdb *l = lmdb_of(store);

	(void)mdb_env_set_mapsize(l->env, l->map_bytes); /* maps the file again */
}

static void lmdb_close(struct store *store)
{
	struct lmdb *l = lmdb_of(store);

	if (l->env != NULL)
		mdb_env_close(l->env);
	store_lock_drop(&l->lock);
	buf_fini(&l->row);
	free(l->path);
	free(l);
}

static const struct store_ops lmdb_ops = {
    .begin = lmdb_begin,
    .number = lmdb_number,
    .put = lmdb_put,
    .get = lmdb_get,
    .remove = lmdb_remove,
    .scan = lmdb_scan,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .make_tables = lmdb_make_tables,
    .status = lmdb_status,
    .reserve = lmdb_reserve,
    .save_time = lmdb_save_time,
    .release = lmdb_release,
    .close = lmdb_close,
};

/* --- opening --- */

static int refuse(const char *path, int rc, char text[STORE_ERROR_TEXT])
{
	if (rc == MDB_VERSION_MISMATCH)
		(void)snprintf(text, STORE_ERROR_TEXT,
		               "%s cannot be opened: it has a version of LMDB's format that the "
		               "installed library (%s) does not read; install the version of LMDB "
		               "that wrote it",
		               path, mdb_version(NULL, NULL, NULL));
	else if (rc == ENOSPC || rc == EDQUOT)
		(void)snprintf(
		    text, STORE_ERROR_TEXT,
		    "%s cannot be made or opened: %s; free some space on its file system, "
		    "or raise its limit, and start again",
		    path, strerror(rc));
	else
		(void)snprintf(text, STORE_ERROR_TEXT, "%s cannot be opened: %s", path,
		               mdb_strerror(rc));
	return rc > 0 ? -rc : -EIO;
}

/* Open the tables that exist; which ones must exist, the format says. */
static int open_all(struct lmdb *l)
{
	int rc = 0;

	for (unsigned i = 0; i < l->store.table_count && (rc == 0 || rc == MDB_NOTFOUND); i++)
		/* mutant: store_open_makes_tables */
		rc = open_table(l, i, 0);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* In a transaction of its own, as LMDB closes with an aborted one what it has opened. */
static int open_tables(struct lmdb *l)
{
	int rc = -lmdb_begin(&l->store);

	if (rc != 0)
		return rc;
	rc = open_all(l);
	if (rc == 0)
		rc = mdb_txn_commit(l->txn);
	else
		mdb_txn_abort(l->txn);
	l->txn = NULL;
	return rc;
}

/* LMDB makes its lock file with a length only, and maps it: the first one who writes to a page that
 * the file system has no space for would be killed (SIGBUS).  So its blocks are allocated before,
 * or again where it has holes.  0 or a positive error. */
static int allocate_lock_file(const struct lmdb *l)
{
	char *path = xasprintf("%s-lock", l->path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	free(path);
	if (fd < 0) /* LMDB reads without a lock where nobody can write */
		return errno == EROFS && l->read_only ? 0 : errno;
	/* mutant: store_lock_file_sparse */
	do
		rc = posix_fallocate(fd, 0, LOCK_FILE_BYTES);
	while (rc == EINTR);
	close(fd);
	return rc;
}

static int open_environment(struct lmdb *l, const struct lmdb_options *options)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (l->read_only ? MDB_RDONLY : 0) |
	                 (options->is_alone ? MDB_NOLOCK : 0);
	int dead, rc = options->is_alone ? 0 : allocate_lock_file(l);

	if (rc == 0)
		rc = mdb_env_create(&l->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(l->env, l->store.table_count);
	if (rc == 0 && !l->read_only)
		rc = mdb_env_set_mapsize(l->env, (size_t)options->first_map);
	if (rc == 0)
		rc = mdb_env_open(l->env, l->path, flags, 0600);
	if (rc == 0)
		rc = mdb_reader_check(l->env, &dead);
	return rc;
}

int store_lmdb_open(const struct lmdb_options *options, char text[STORE_ERROR_TEXT],
                    struct store **out)
{
	struct lmdb *l = xnew(l);
	MDB_envinfo info;
	int rc;

	*out = NULL;
	l->store.ops = &lmdb_ops;
	l->formats = options->formats == NULL ? &store_formats : options->formats;
	l->store.table_count = store_format_tables(l->formats, l->formats->newest);
	l->lock = (struct store_lock){.fd = -1, .last_commit_fd = -1};
	l->path = xstrdup(options->path);
	l->read_only = options->read_only;
	l->max_bytes = options->max_bytes;
	rc = open_environment(l, options);
	if (rc == 0)
		rc = mdb_env_info(l->env, &info);
	if (rc == 0) {
		l->map_bytes = info.me_mapsize;
		rc = open_tables(l);
	}
	if (rc == 0)
		rc = mdb_env_info(l->env, &info);
	if (rc != 0) {
		lmdb_close(&l->store);
		return refuse(options->path, rc, text);
	}
	l->last_commit.transaction = info.me_last_txnid;
	*out = &l->store;
	return 0;
}

void store_lmdb_save_commits(struct store *store, struct store_lock *lock)
{
	struct lmdb *l = lmdb_of(store);

	REQUIRE(l->lock.fd == -1 && lock->fd >= 0);
	l->lock = *lock;
	*lock = (struct store_lock){.fd = -1, .last_commit_fd = -1};
	lmdb_save_time(store, store->time);
}

static int copy_to(MDB_env *env, int to)
{
	int rc = mdb_env_copyfd2(env, to, MDB_CP_COMPACT);

	if (rc == MDB_MAP_RESIZED) { /* by the broker that writes */
		rc = mdb_env_set_mapsize(env, 0);
		if (rc == 0)
			rc = mdb_env_copyfd2(env, to, MDB_CP_COMPACT);
	}
	if (rc != MDB_INCOMPATIBLE)
		return rc;
	/* LMDB refuses to compact a file with lost pages: copy them as well. */
	if (ftruncate(to, 0) != 0 || lseek(to, 0, SEEK_SET) != 0)
		return errno;
	return mdb_env_copyfd2(env, to, 0);
}

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int store_lmdb_copy(const char *path, bool at_rest, int to, char text[STORE_ERROR_TEXT])
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY | (at_rest ? MDB_NOLOCK : 0);
	MDB_env *env = NULL;
	int rc = mdb_env_create(&env);

	REQUIRE(to >= 0);
	if (rc == 0)
		rc = mdb_env_open(env, path, flags, 0600);
	if (rc == 0) {
		store_progress_begin("copying", file_bytes(path), to);
		rc = copy_to(env, to);
		store_progress_end();
	}
	if (env != NULL)
		mdb_env_close(env);
	if (rc == 0)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT, "%s cannot be copied: %s", path, mdb_strerror(rc));
	return rc > 0 ? -rc : -EIO;
}
