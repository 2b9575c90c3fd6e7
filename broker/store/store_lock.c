/* The file "broker.lock" contains the process id of the one that holds the lock. */
#include "store/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "program/trust.h"

#define LOCK_FILE "broker.lock"

static int explain_denial(char text[STORE_ERROR_TEXT], int error, const char *directory,
                          const char *what)
{
	struct buf why = {0};

	if (error == EACCES)
		trust_describe_denial(directory, W_OK | X_OK, &why);
	(void)snprintf(text, STORE_ERROR_TEXT, "%s: %s: %.*s", directory, what,
	               why.len > 0 ? (int)why.len : INT_MAX,
	               why.len > 0 ? (const char *)why.data : strerror(error));
	buf_fini(&why);
	return -error;
}

static int explain(char text[STORE_ERROR_TEXT], int error, const char *directory, const char *what)
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s: %s: %s", directory, what, strerror(error));
	return -error;
}

static int explain_trust(char text[STORE_ERROR_TEXT], int rc, const char *path,
                         const struct buf *why)
{
	if (why->len == 0)
		return explain(text, -rc, path, "cannot be opened");
	(void)snprintf(text, STORE_ERROR_TEXT, "%s: %.*s", path, (int)why->len,
	               (const char *)why->data);
	return rc;
}

/* The descriptor, or -errno. -ENOENT leaves *text alone. */
static int open_trusted(const char *directory, char text[STORE_ERROR_TEXT])
{
	struct trust_request request = {
	    .path = directory, .flags = O_RDONLY | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	int fd = trust_open(&request, &why);

	if (fd == -ENOTDIR)
		(void)explain(text, ENOTDIR, directory, "name a directory for the store");
	else if (fd < 0 && fd != -ENOENT)
		(void)explain_trust(text, fd, directory, &why);
	buf_fini(&why);
	return fd;
}

static int check_file(const char *path, char text[STORE_ERROR_TEXT])
{
	struct trust_request request = {.path = path, .flags = O_PATH, .refuse_link = true};
	struct buf why = {0};
	int rc = trust_check(&request, &why);

	if (rc == -ENOENT)
		rc = 0;
	else if (rc != 0)
		rc = explain_trust(text, rc, path, &why);
	buf_fini(&why);
	return rc;
}

int store_lock_check_files(const char *directory, char text[STORE_ERROR_TEXT])
{
	static const char *const names[] = {STORE_DATA_FILE, STORE_DATA_FILE "-lock", LOCK_FILE,
	                                    STORE_LAST_COMMIT_FILE};
	int rc = 0;

	/* mutant: trust_store_files */
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s", directory, names[i]);

		rc = check_file(path, text);
		free(path);
	}
	return rc;
}

/* What mkdir(2) would say: 0 or an errno. */
static int mkdir_error(const char *directory)
{
	char *copy = xstrdup(directory);
	int failed = faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;

	free(copy);
	return failed;
}

/* Make it where it is missing, unless `is_missing` is not NULL, and only that is said: the
 * directory above was checked. */
static int open_directory(const char *directory, bool *is_missing, char text[STORE_ERROR_TEXT])
{
	int fd = open_trusted(directory, text), rc;

	if (fd == -ENOENT) {
		rc = is_missing != NULL                               ? mkdir_error(directory)
		     : mkdir(directory, 0700) == 0 || errno == EEXIST ? 0
		                                                      : errno;
		if (rc != 0)
			return explain_denial(text, rc, directory, "the directory cannot be made");
		if (is_missing != NULL) {
			*is_missing = true;
			return -ENOENT;
		}
		fd = open_trusted(directory, text);
		if (fd == -ENOENT)
			return explain(text, ENOENT, directory, "the directory cannot be read");
	}
	rc = fd < 0 ? fd : store_lock_check_files(directory, text);
	if (fd >= 0 && rc != 0)
		close(fd);
	return rc == 0 ? fd : rc;
}

void store_lock_give_away(int directory, int fd)
{
	struct stat st;

	if (geteuid() == 0 && fstat(directory, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0) {
		/* The broker will report that it cannot open it. */
	}
}

static int open_at(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		store_lock_give_away(directory, fd);
	return fd;
}

/* -1: not known. */
static long read_pid(int fd)
{
	char text[24] = {0};
	long pid = pread(fd, text, sizeof(text) - 1, 0) <= 0 ? 0 : strtol(text, NULL, 10);

	return pid > 0 ? pid : -1;
}

static int refuse_second(int fd, const char *directory, char text[STORE_ERROR_TEXT])
{
	long pid = read_pid(fd);

	if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
		(void)snprintf(text, STORE_ERROR_TEXT,
		               "%s is being read by broker-store: try again later", directory);
	else
		(void)snprintf(text, STORE_ERROR_TEXT,
		               "%s is in use by process %ld: stop that one, or give this one a "
		               "directory of its own",
		               directory, pid);
	return -EBUSY;
}

static void write_pid(int fd)
{
	char pid[24];
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return; /* it is only for messages */
}

#define NOT_OPENED "its files cannot be opened; they must belong to the broker's user"

int store_lock_take(const char *directory, struct store_lock *out, char text[STORE_ERROR_TEXT])
{
	int dir = open_directory(directory, NULL, text), failed;

	*out = (struct store_lock){.fd = -1, .last_commit_fd = -1};
	if (dir < 0)
		return dir;
	out->fd = open_at(dir, LOCK_FILE);
	out->last_commit_fd = open_at(dir, STORE_LAST_COMMIT_FILE);
	failed = out->fd < 0 || out->last_commit_fd < 0 ? errno : 0;
	close(dir);
	if (failed != 0)
		failed = explain(text, failed, directory, NOT_OPENED);
	else if (flock(out->fd, LOCK_EX | LOCK_NB) != 0)
		failed = refuse_second(out->fd, directory, text);
	else
		write_pid(out->fd);
	if (failed != 0)
		store_lock_drop(out);
	return failed;
}

int store_lock_check(const char *directory, char text[STORE_ERROR_TEXT])
{
	static const char *const names[] = {LOCK_FILE, STORE_LAST_COMMIT_FILE};
	bool is_missing = false;
	int dir = open_directory(directory, &is_missing, text), failed = 0;

	if (dir < 0)
		return is_missing ? 0 : dir;
	if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) != 0)
		failed = errno;
	for (size_t i = 0; failed == 0 && i < ARRAY_LEN(names); i++) {
		int fd = openat(dir, names[i], O_RDWR | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0 && errno != ENOENT)
			failed = errno;
		if (fd >= 0)
			close(fd);
	}
	close(dir);
	return failed == 0 ? 0 : explain_denial(text, failed, directory, NOT_OPENED);
}

int store_lock_open_file(const char *directory, const char *name)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (dir >= 0)
		close(dir);
	return fd;
}

int store_lock_share(const char *directory, long *pid)
{
	int fd = store_lock_open_file(directory, LOCK_FILE);

	*pid = 0;
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
		return fd;
	*pid = read_pid(fd);
	close(fd);
	return -1;
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

int store_lock_sync(const char *directory, char text[STORE_ERROR_TEXT])
{
	char *copy = slice_dup(slice_of_str(directory));
	int failed = sync_directory(directory);

	if (failed == 0)
		failed = sync_directory(dirname(copy));
	free(copy);
	/* EACCES: above a mount point, or not readable for us; then others flush it. */
	if (failed == EACCES || failed == 0)
		return 0;
	return explain(text, failed, directory, "the directory cannot be flushed to disk");
}

void store_lock_drop(struct store_lock *lock)
{
	if (lock->last_commit_fd >= 0)
		close(lock->last_commit_fd);
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = (struct store_lock){.fd = -1, .last_commit_fd = -1};
}
