/* Copies of stores.  Each is made under another name, flushed, verified, and only then renamed: at
 * any moment there is a complete store, the old or the new one.  A copy counts its transactions
 * from the beginning, so the number in the last commit's file is set to 0 before the rename. */
#include "store/store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "program/trust.h"
#include "store/store_check.h"
#include "store/store_lmdb.h"

#define SPARE_MAP ((uint64_t)1 << 20) /* more than the file has */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *data_path(const char *path)
{
	return is_directory(path) ? xasprintf("%s/%s", path, STORE_DATA_FILE) : xstrdup(path);
}

static char *directory_of(const char *file)
{
	char *copy = xstrdup(file), *directory = xstrdup(dirname(copy));

	free(copy);
	return directory;
}

/* The directory whose lock and last commit belong to that path: a store's data.mdb stands for the
 * store.  A backup of that name has neither. */
static char *store_directory(const char *path)
{
	char *real = realpath(path, NULL), *directory;
	const char *name = real == NULL ? NULL : strrchr(real, '/');

	if (is_directory(path) || name == NULL || strcmp(name + 1, STORE_DATA_FILE) != 0)
		directory = xstrdup(path);
	else
		directory = directory_of(real);
	free(real);
	return directory;
}

static int refuse_busy(char text[STORE_ERROR_TEXT], const char *path, long pid)
{
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "a broker runs in %s (process %ld): stop it, or make a backup and use that",
	               path, pid);
	return -EBUSY;
}

bool store_files_hold(const char *path, int *fd, long *pid)
{
	char *directory = store_directory(path);

	*pid = 0;
	*fd = store_lock_share(directory, pid);
	free(directory);
	return *fd >= 0 || *pid == 0;
}

/* ---- trust ---- */

int store_files_check_trust(const char *path, char text[STORE_ERROR_TEXT])
{
	bool is_store = is_directory(path);
	struct trust_request request = {.path = path, .flags = O_PATH, .refuse_sticky = is_store};
	struct buf why = {0};
	int rc = trust_check(&request, &why);
	char *directory;

	if (why.len > 0)
		(void)snprintf(text, STORE_ERROR_TEXT, "%s: %.*s", path, (int)why.len,
		               (const char *)why.data);
	buf_fini(&why);
	if (rc == -EACCES && text[0] != '\0')
		return rc;
	/* A data.mdb has the other files of a store beside it. */
	directory = store_directory(path);
	rc = is_directory(directory) ? store_lock_check_files(directory, text) : 0;
	free(directory);
	return rc;
}

/* ---- checking and reading ---- */

static int check_file(const struct store_check *check, struct verify_report *report,
                      char text[STORE_ERROR_TEXT])
{
	int fd = open(check->path, O_RDONLY | O_CLOEXEC), rc;

	*report = (struct verify_report){0};
	if (fd < 0)
		return store_check_explain(text, errno, check->path, "cannot be opened");
	rc = store_check_content(fd, check, report, text);
	close(fd);
	return rc;
}

int store_files_check(const char *path, verify_row_fn *row, void *arg, struct verify_report *report,
                      char text[STORE_ERROR_TEXT])
{
	char *file = data_path(path), *directory = store_directory(path);
	struct store_check check = {
	    .path = file, .formats = &store_formats, .row = row, .arg = arg};
	int rc;

	store_last_commit_peek(directory, &check.last_commit);
	rc = check_file(&check, report, text);
	free(directory);
	free(file);
	return rc;
}

int store_files_read(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT],
                     struct store **out)
{
	char *file = data_path(path);
	struct lmdb_options options = {.path = file, .read_only = true};
	int rc = store_lmdb_open(&options, text, out);

	if (rc == 0) {
		rc = store_format_peek(*out, format);
		if (rc != 0)
			rc = store_check_explain(text, -rc, file, "cannot be read");
		else if (*format > STORE_FORMAT)
			rc = store_format_refuse(*format, STORE_FORMAT, text);
	}
	if (rc != 0) {
		store_close(*out);
		*out = NULL;
	}
	free(file);
	return rc;
}

static int format_at_rest(const char *file, uint32_t *format, char text[STORE_ERROR_TEXT])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct verify_report report;
	struct stat st;
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0
		                       : store_check_explain(text, errno, file, "cannot be opened");
	if (fstat(fd, &st) == 0 && st.st_size == 0) {
		close(fd);
		return 0;
	}
	rc = store_verify_format(fd, &report);
	close(fd);
	*format = report.format;
	if (rc != 0)
		return store_check_explain_report(rc, file, &report, text);
	/* mutant: store_check_newer */
	return *format > STORE_FORMAT ? store_format_refuse(*format, STORE_FORMAT, text) : 0;
}

static int format_beside(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT])
{
	struct store *store = NULL;
	int rc = store_files_read(path, format, text, &store);

	store_close(store);
	return rc;
}

int store_files_format(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT])
{
	char *file, why[STORE_ERROR_TEXT] = "";
	long pid;
	int lock, rc;

	*format = 0;
	text[0] = '\0';
	if (!store_files_hold(path, &lock, &pid))
		return format_beside(path, format, text);
	file = data_path(path);
	rc = format_at_rest(file, format, text);
	if (rc == -ENOTSUP) { /* LMDB may know its version */
		rc = format_beside(path, format, why);
		if (rc != 0)
			(void)snprintf(text, STORE_ERROR_TEXT, "%s", why);
	}
	if (lock >= 0)
		close(lock);
	free(file);
	return rc;
}

void store_files_describe_upgrade(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT])
{
	text[0] = '\0';
	if (format != 0 && format < newest)
		(void)snprintf(text, STORE_ERROR_TEXT,
		               "the broker upgrades it to format %" PRIu32
		               " when it starts, and older versions cannot read it then: make a "
		               "backup first if you may want to go back",
		               newest);
}

/* ---- copying ---- */

static int renumber(const char *file, char text[STORE_ERROR_TEXT])
{
	struct stat st;
	/* mutant: trust_copy_without_lock */
	struct lmdb_options options = {.path = file, .is_alone = true};
	struct store *store;
	int rc;

	if (stat(file, &st) != 0)
		return store_check_explain(text, errno, file, "cannot be read");
	options.first_map = (uint64_t)st.st_size + SPARE_MAP;
	options.max_bytes = options.first_map * 2;
	rc = store_lmdb_open(&options, text, &store);
	if (rc != 0)
		return rc;
	rc = store_format_renumber(store);
	store_close(store);
	return rc == 0 ? 0 : store_check_explain(text, -rc, file, "cannot be written");
}

static int copy_into(const char *from, bool at_rest, const char *to, char text[STORE_ERROR_TEXT])
{
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), rc;
	char *directory = directory_of(to);
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(directory);
	if (fd >= 0 && dir >= 0)
		store_lock_give_away(dir, fd);
	rc = fd < 0 ? store_check_explain(text, errno, to, "cannot be made")
	            : store_lmdb_copy(from, at_rest, fd, text);
	if (rc == 0 && fsync(fd) != 0)
		rc = store_check_explain(text, errno, to, "cannot be flushed to disk");
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return rc;
}

/* `to` is complete, or does not exist. */
static int copy(const char *from, bool at_rest, const char *to, char text[STORE_ERROR_TEXT])
{
	struct store_check check = {.path = to, .formats = &store_formats};
	struct verify_report report;
	int rc;

	(void)unlink(to);
	rc = copy_into(from, at_rest, to, text);
	if (rc == 0)
		rc = renumber(to, text);
	if (rc == 0)
		rc = check_file(&check, &report, text);
	store_check_remove_lock(to);
	if (rc != 0)
		(void)unlink(to);
	return rc;
}

/* Of a file that LMDB may read. */
static int copy_checked(const char *path, const char *to, char text[STORE_ERROR_TEXT])
{
	char *file = data_path(path);
	struct verify_report report;
	long pid;
	int lock, rc = 0;
	bool at_rest = store_files_hold(path, &lock, &pid);

	if (at_rest)
		rc = store_files_check(path, NULL, NULL, &report, text);
	if (rc == 0)
		rc = copy(file, at_rest, to, text);
	if (lock >= 0)
		close(lock);
	free(file);
	return rc;
}

static int put_in_place(const char *new_file, const char *file, char text[STORE_ERROR_TEXT])
{
	char *directory;
	int rc;

	if (rename(new_file, file) != 0)
		return store_check_explain(text, errno, file, "cannot be replaced");
	directory = directory_of(file);
	rc = store_lock_sync(directory, text);
	free(directory);
	return rc;
}

int store_files_backup(const char *path, const char *to, char text[STORE_ERROR_TEXT])
{
	char *file = data_path(to), *part = xasprintf("%s.part", file);
	int rc = 0;

	if (access(file, F_OK) == 0)
		rc = store_check_explain(text, EEXIST, file, "exists already; name a new file");
	if (rc == 0)
		rc = copy_checked(path, part, text);
	if (rc == 0)
		rc = put_in_place(part, file, text);
	if (rc == 0)
		(void)snprintf(text, STORE_ERROR_TEXT, "%s", file);
	free(part);
	free(file);
	return rc;
}

/* ---- replacing a store ---- */

/* Accept any number of transactions from now on, but not that there is no file. */
static int forget_number(const struct store_lock *lock, const char *directory,
                         char text[STORE_ERROR_TEXT])
{
	struct store_last_commit last_commit;

	store_last_commit_read(lock, &last_commit);
	last_commit.transaction = 0;
	store_last_commit_write(lock, &last_commit);
	if (fsync(lock->last_commit_fd) == 0)
		return 0;
	return store_check_explain(text, errno, directory, "cannot be written");
}

static int compact_locked(const char *directory, const struct store_lock *lock,
                          char text[STORE_ERROR_TEXT])
{
	char *file = xasprintf("%s/%s", directory, STORE_DATA_FILE);
	char *new_file = xasprintf("%s/%s", directory, STORE_NEW_FILE);
	struct verify_report report;
	int rc = store_files_check(directory, NULL, NULL, &report, text);

	if (rc == 0)
		rc = copy(file, true, new_file, text);
	if (rc == 0)
		rc = forget_number(lock, directory, text);
	if (rc == 0)
		rc = put_in_place(new_file, file, text);
	store_check_remove_lock(file);
	free(new_file);
	free(file);
	return rc;
}

int store_files_compact(const char *directory, char text[STORE_ERROR_TEXT])
{
	struct store_lock lock;
	int rc;

	if (!is_directory(directory))
		return store_check_explain(text, ENOTDIR, directory, "is not a store");
	rc = store_lock_take(directory, &lock, text);
	if (rc == 0)
		rc = compact_locked(directory, &lock, text);
	store_lock_drop(&lock);
	return rc;
}

/* Give the file a second name, which is returned. NULL: there is no file, or *rc is an error. */
static char *save_replaced(const char *file, int *rc, char text[STORE_ERROR_TEXT])
{
	char *saved = xasprintf("%s.replaced", file);

	for (unsigned i = 2; access(saved, F_OK) == 0; i++) {
		free(saved);
		saved = xasprintf("%s.replaced-%u", file, i);
	}
	if (link(file, saved) == 0)
		return saved;
	if (errno != ENOENT && rename(file, saved) == 0) /* no links on this file system */
		return saved;
	if (errno != ENOENT)
		*rc = store_check_explain(text, errno, file, "cannot be saved under another name");
	free(saved);
	return NULL;
}

/* Makes a new file, verified and on disk. */
typedef int make_fn(const void *arg, const char *new_file, char text[STORE_ERROR_TEXT]);

static int make_copy(const void *arg, const char *new_file, char text[STORE_ERROR_TEXT])
{
	return copy_checked(arg, new_file, text);
}

static int replace_locked(const char *directory, make_fn *make, const void *arg,
                          const struct store_lock *lock, char text[STORE_ERROR_TEXT])
{
	char *file = xasprintf("%s/%s", directory, STORE_DATA_FILE);
	char *new_file = xasprintf("%s/%s", directory, STORE_NEW_FILE);
	char *saved = NULL;
	int rc = make(arg, new_file, text);

	if (rc == 0)
		rc = forget_number(lock, directory, text);
	if (rc == 0)
		saved = save_replaced(file, &rc, text);
	if (rc == 0)
		rc = put_in_place(new_file, file, text);
	store_check_remove_lock(file);
	if (rc == 0)
		(void)snprintf(text, STORE_ERROR_TEXT, "%s", saved == NULL ? "" : saved);
	free(saved);
	free(new_file);
	free(file);
	return rc;
}

static bool is_same(const char *a, const char *b)
{
	char *file_a = data_path(a), *file_b = data_path(b);
	struct stat x, y;
	bool same = stat(file_a, &x) == 0 && stat(file_b, &y) == 0 && x.st_dev == y.st_dev &&
	            x.st_ino == y.st_ino;

	free(file_a);
	free(file_b);
	return same;
}

int store_files_restore(const char *directory, const char *from, char text[STORE_ERROR_TEXT])
{
	struct store_lock lock;
	long pid = 0;
	int fd, rc;

	if (access(from, F_OK) != 0)
		return store_check_explain(text, errno, from, "cannot be opened");
	if (is_same(directory, from))
		return store_check_explain(text, EINVAL, from, "is the store itself");
	if (!store_files_hold(from, &fd, &pid))
		return refuse_busy(text, from, pid);
	rc = store_lock_take(directory, &lock, text);
	if (rc == 0)
		rc = replace_locked(directory, make_copy, from, &lock, text);
	store_lock_drop(&lock);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Root makes it for the owner of the directory. */
static void give_away(const char *file)
{
	char *directory = directory_of(file);
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (dir >= 0 && fd >= 0)
		store_lock_give_away(dir, fd);
	if (dir >= 0)
		close(dir);
	if (fd >= 0)
		close(fd);
	free(directory);
}

static int make_of_dump(const void *arg, const char *new_file, char text[STORE_ERROR_TEXT])
{
	struct store_check check = {.path = new_file, .formats = &store_formats};
	struct verify_report report;
	int rc;

	(void)unlink(new_file);
	rc = store_load_into(arg, new_file, text);
	if (rc == 0)
		rc = check_file(&check, &report, text);
	if (rc == 0)
		give_away(new_file);
	else
		(void)unlink(new_file);
	return rc;
}

int store_files_load(const char *directory, const struct store_load *load,
                     char text[STORE_ERROR_TEXT])
{
	struct store_lock lock;
	int rc = store_lock_take(directory, &lock, text);

	if (rc == 0)
		rc = replace_locked(directory, make_of_dump, load, &lock, text);
	store_lock_drop(&lock);
	return rc;
}
