/* Opening a store: lock the directory, verify the file before LMDB opens it, make a new one where
 * there never was one.  A new file gets its name when it is complete, so that a crash leaves all of
 * it or nothing. */
#include "store/store_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/store_backend.h"
#include "store/store_check.h"
#include "store/store_lmdb.h"

#define FIRST_MAP ((uint64_t)64 << 20)
#define LEAST_MAP ((uint64_t)1 << 16)
/* The limit of the address space. */
#define MAP_MOST (sizeof(void *) == 4 ? (uint64_t)1 << 30 : (uint64_t)1 << 46)

/* ---- a new one ---- */

static int create_store(const char *directory, const char *path, struct lmdb_options options,
                        char text[STORE_ERROR_TEXT])
{
	char *new_path = xasprintf("%s/%s", directory, STORE_NEW_FILE);
	struct store *store = NULL;
	int rc;

	(void)unlink(new_path); /* of a start that was interrupted */
	store_check_remove_lock(new_path);
	options.path = new_path;
	rc = store_lmdb_open(&options, text, &store);
	if (rc == 0)
		rc = store_format_settle(store, options.formats, text);
	store_close(store);
	if (rc == 0 && rename(new_path, path) != 0)
		rc = store_check_explain(text, errno, path, "cannot be made");
	store_check_remove_lock(new_path);
	if (rc != 0)
		(void)unlink(new_path);
	free(new_path);
	return rc != 0 ? rc : store_lock_sync(directory, text);
}

/* Before LMDB opens them. */
static int check_tables(const struct store_check *check, const char *directory, bool *there,
                        char text[STORE_ERROR_TEXT])
{
	int rc = store_check_file(check, there, text);

	if (rc != 0 && rc != -EPROTONOSUPPORT)
		store_check_add_remedy(directory, text);
	return rc;
}

static int open_locked(const struct store_options *options, struct store_lock *lock,
                       char text[STORE_ERROR_TEXT], struct store **out)
{
	char *path = xasprintf("%s/%s", options->directory, STORE_DATA_FILE);
	uint64_t max =
	    options->max_bytes > 0 && options->max_bytes < MAP_MOST ? options->max_bytes : MAP_MOST;
	uint64_t first = options->first_map > 0 ? options->first_map : FIRST_MAP;

	max = max < LEAST_MAP ? LEAST_MAP : max;
	first = first < LEAST_MAP ? LEAST_MAP : first;
	struct lmdb_options lmdb = {.path = path,
	                            .first_map = first < max ? first : max,
	                            .max_bytes = max,
	                            .formats = options->formats == NULL ? &store_formats
	                                                                : options->formats};
	struct store_check check = {.path = path, .formats = lmdb.formats};
	bool there;
	int rc;

	store_last_commit_read(lock, &check.last_commit);
	rc = check_tables(&check, options->directory, &there, text);
	if (rc == 0 && !there)
		rc = create_store(options->directory, path, lmdb, text);
	if (rc == 0)
		rc = store_lmdb_open(&lmdb, text, out);
	if (rc == 0) {
		(*out)->time = check.last_commit.time;
		rc = store_format_settle(*out, lmdb.formats, text);
	}
	free(path);
	return rc;
}

int store_open(const struct store_options *options, char text[STORE_ERROR_TEXT], struct store **out)
{
	struct store_lock lock;
	int rc = store_lock_take(options->directory, &lock, text);

	*out = NULL;
	if (rc == 0)
		rc = open_locked(options, &lock, text, out);
	if (rc == 0)
		rc = store_lock_sync(options->directory, text);
	if (rc == 0) {
		store_lmdb_save_commits(*out, &lock);
		return 0;
	}
	store_close(*out);
	*out = NULL;
	store_lock_drop(&lock);
	return rc;
}

int store_open_check(const struct store_options *options, char text[STORE_ERROR_TEXT])
{
	char *path = xasprintf("%s/%s", options->directory, STORE_DATA_FILE);
	struct store_check check = {
	    .path = path, .formats = options->formats == NULL ? &store_formats : options->formats};
	int rc = store_lock_check(options->directory, text), lock = -1;
	long pid = 0;
	bool there;

	if (rc == 0)
		lock = store_lock_share(options->directory, &pid);
	if (pid != 0)
		rc = -EBUSY;
	if (rc == 0) {
		store_last_commit_peek(options->directory, &check.last_commit);
		rc = check_tables(&check, options->directory, &there, text);
	}
	if (lock >= 0)
		close(lock);
	free(path);
	return rc;
}
