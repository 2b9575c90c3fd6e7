/* Opening a store: lock the directory, look at the file before LMDB does, make a new one where
 * there never was one.  A new file comes under its name when it is complete, so that a crash leaves
 * all of it or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/lmdb_verify.h"
#include "store/store_backend.h"
#include "store/store_check.h"
#include "store/store_lmdb.h"

#define FIRST_MAP ((uint64_t)64 << 20)
#define LEAST_MAP ((uint64_t)1 << 16)
/* Where the machine's addresses end before its disk does. */
#define MAP_MOST (sizeof(void *) == 4 ? (uint64_t)1 << 30 : (uint64_t)1 << 46)

static void add_remedy(const char *directory, char text[STORE_ERROR_TEXT])
{
	size_t len = strlen(text);

	(void)snprintf(text + len, STORE_ERROR_TEXT - len,
	               "; see `broker-store %s check`, restore a backup with `broker-store %s "
	               "restore FROM`, or move the directory away to begin anew",
	               directory, directory);
}

int store_explain(char text[STORE_ERROR_TEXT], int error, const char *path, const char *what)
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s %s: %s", path, what, strerror(error));
	return -error;
}

/* ---- the file that is there ---- */

int store_say_damaged(int rc, const char *path, const struct verify_report *report,
                      char text[STORE_ERROR_TEXT])
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s is damaged: %.200s", path, report->text);
	return rc;
}

int store_explain_verdict(const char *path, const struct store_note *note,
                          const struct store_formats *formats, const struct verify_report *report,
                          char text[STORE_ERROR_TEXT])
{
	if (report->format > formats->newest)
		return store_format_refuse(report->format, formats->newest, text);
	if (report->transaction >= note->transaction)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "%s is older than what was acknowledged: it ends with transaction %" PRIu64
	               ", there were %" PRIu64,
	               path, report->transaction, note->transaction);
	return -EBADMSG;
}

static int look_at(const char *path, int fd, const struct store_note *note,
                   const struct store_formats *formats, char text[STORE_ERROR_TEXT])
{
	struct verify_report report;
	int rc = store_verify_file(fd, formats, NULL, NULL, &report);

	return rc == 0 ? store_explain_verdict(path, note, formats, &report, text)
	               : store_say_damaged(rc, path, &report, text);
}

/* *there false: nothing is, and nothing ever was. */
static int look(const char *path, const struct store_note *note,
                const struct store_formats *formats, bool *there, char text[STORE_ERROR_TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st = {0};
	int rc;

	*there = fd >= 0;
	if (fd < 0 && errno != ENOENT)
		return store_explain(text, errno, path, "cannot be opened");
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return store_explain(text, EINVAL, path, "is no file");
	}
	if (fd >= 0 && st.st_size > 0) {
		rc = look_at(path, fd, note, formats, text);
		close(fd);
		return rc;
	}
	if (fd >= 0)
		close(fd);
	*there = false;
	if (!note->written)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT, "%s is %s, and there was one", path,
	               fd < 0 ? "missing" : "empty");
	return -EBADMSG;
}

/* ---- a new one ---- */

void store_remove_lock(const char *path)
{
	char *lock = xasprintf("%s-lock", path);

	(void)unlink(lock);
	free(lock);
}

static int make(const char *directory, const char *path, struct lmdb_options options,
                char text[STORE_ERROR_TEXT])
{
	char *new_path = xasprintf("%s/%s", directory, STORE_NEW_FILE);
	struct store *d = NULL;
	int rc;

	(void)unlink(new_path); /* of a start that ended too early */
	store_remove_lock(new_path);
	options.path = new_path;
	rc = store_lmdb_open(&options, text, &d);
	if (rc == 0)
		rc = store_settle(d, text);
	store_close(d);
	if (rc == 0 && rename(new_path, path) != 0)
		rc = store_explain(text, errno, path, "cannot be made");
	store_remove_lock(new_path);
	free(new_path);
	return rc != 0 ? rc : store_lock_sync(directory, text);
}

/* ---- all of it ---- */

static struct lmdb_options map_options(const struct store_options *o, const char *path)
{
	uint64_t max = o->max_bytes > 0 && o->max_bytes < MAP_MOST ? o->max_bytes : MAP_MOST;
	uint64_t first = o->first_map > 0 ? o->first_map : FIRST_MAP;

	max = max < LEAST_MAP ? LEAST_MAP : max;
	first = first < LEAST_MAP ? LEAST_MAP : first;
	return (struct lmdb_options){.path = path,
	                             .first_map = first < max ? first : max,
	                             .max_bytes = max,
	                             .formats = o->formats == NULL ? &store_formats : o->formats};
}

static int open_locked(const struct store_options *options, struct store_lock *lock,
                       char text[STORE_ERROR_TEXT], struct store **out)
{
	char *path = xasprintf("%s/%s", options->directory, STORE_DATA_FILE);
	struct lmdb_options lmdb = map_options(options, path);
	struct store_note note;
	bool there;
	int rc;

	store_note_read(lock, &note);
	rc = look(path, &note, lmdb.formats, &there, text);
	if (rc != 0 && rc != -EPROTONOSUPPORT)
		add_remedy(options->directory, text);
	if (rc == 0 && !there)
		rc = make(options->directory, path, lmdb, text);
	if (rc == 0)
		rc = store_lmdb_open(&lmdb, text, out);
	if (rc == 0) {
		(*out)->time_ms = note.time_ms;
		rc = store_settle(*out, text);
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
		store_lmdb_keep_notes(*out, &lock);
		return 0;
	}
	store_close(*out);
	*out = NULL;
	store_lock_drop(&lock);
	return rc;
}
