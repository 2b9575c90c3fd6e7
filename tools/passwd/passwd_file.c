/* The lock is on the file itself: only those who can open it can take it.  A change replaces the
 * file, so the name is compared with the locked file after the lock is taken. */
#include "passwd/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "program/command_line.h"
#include "program/trust.h"
#include "write_all.h"

static void open_none(struct passwd_file *f, const char *path)
{
	const char *slash = strrchr(path, '/');

	*f = (struct passwd_file){.path = path, .fd = -1, .dir_fd = -1};
	f->name = xstrdup(slash == NULL ? path : slash + 1);
}

static void close_both(struct passwd_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	f->fd = f->dir_fd = -1;
}

/* -ENOENT: the directory is there, the file is not. */
static int open_file(struct passwd_file *f, bool to_change)
{
	/* A change replaces the file, and would replace the link. */
	struct trust_request request = {
	    .path = f->path, .flags = O_RDONLY, .refuse_link = to_change, .directory = &f->dir_fd};
	struct buf why = {0};
	int rc = 0;

	close_both(f);
	f->fd = trust_open(&request, &why);
	if (f->fd >= 0)
		rc = fstat(f->fd, &f->st) == 0
		         ? 0
		         : report_error(EXIT_USAGE, "%s: %s", f->path, strerror(errno));
	else if (why.len > 0)
		rc = report_error(EXIT_USAGE, "%s: %.*s", f->path, (int)why.len,
		                  (const char *)why.data);
	else if (f->fd == -ENOENT && f->dir_fd >= 0)
		rc = -ENOENT;
	else if (f->fd == -EINVAL)
		rc = report_error(EXIT_USAGE, "%s is not a regular file", f->path);
	else if (f->fd == -ELOOP && to_change)
		rc = report_error(
		    EXIT_USAGE,
		    "%s is a symbolic link, which a change would replace; name the file itself",
		    f->path);
	else
		rc = report_error(EXIT_USAGE, "%s: %s", f->path, strerror(-f->fd));
	buf_fini(&why);
	return rc;
}

/* Which directory does not let us, and a remedy. */
static int report_denial(const struct passwd_file *f, int error, const char *verb)
{
	struct buf why = {0};

	if (error == EACCES)
		trust_describe_denial(f->path, W_OK, &why);
	if (why.len == 0)
		buf_printf(&why, "%s", strerror(error));
	(void)report_error(0, "cannot %s %s: %.*s", verb, f->path, (int)why.len,
	                   (const char *)why.data);
	buf_fini(&why);
	return EXIT_FAILED;
}

/* A file that root makes belongs to the owner of the directory, the user of the broker. */
static int create_file(struct passwd_file *f)
{
	int fd = openat(f->dir_fd, f->name,
	                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat directory;
	int rc = 0;

	if (fd < 0)
		return errno == EEXIST ? 0 : report_denial(f, errno, "create");
	if (geteuid() == 0 && fstat(f->dir_fd, &directory) == 0 && directory.st_uid != 0 &&
	    fchown(fd, directory.st_uid, directory.st_gid) != 0)
		rc = report_error(EXIT_FAILED, "%s: %s", f->path, strerror(errno));
	close(fd);
	return rc;
}

static int open_or_create(struct passwd_file *f, bool create)
{
	int rc = open_file(f, true);

	if (rc != -ENOENT || !create)
		return rc;
	rc = create_file(f);
	return rc == 0 ? open_file(f, true) : rc;
}

static int missing(const struct passwd_file *f)
{
	return report_error(EXIT_USAGE,
	                    "%s does not exist; 'broker-passwd -c FILE add USER' makes a new one",
	                    f->path);
}

static int read_all(struct passwd_file *f)
{
	ssize_t n = 1;

	if (!S_ISREG(f->st.st_mode))
		return report_error(EXIT_USAGE, "%s is not a regular file", f->path);
	while (n > 0 && f->bytes.len <= PASSWORD_FILE_MAX) {
		buf_reserve(&f->bytes, 65536);
		n = read(f->fd, f->bytes.data + f->bytes.len, 65536);
		if (n < 0)
			return report_error(EXIT_USAGE, "%s: %s", f->path, strerror(errno));
		f->bytes.len += (size_t)n;
	}
	return 0;
}

struct password_file *passwd_file_parse(const char *path, struct slice bytes)
{
	struct errors errors = {0};
	struct password_file *users = password_file_parse(path, bytes, &errors);
	char *text;

	if (users == NULL) {
		text = errors_text(&errors);
		fputs(text, stderr);
		free(text);
	}
	errors_fini(&errors);
	return users;
}

static int load_users(struct passwd_file *f)
{
	int rc = f->fd < 0 ? 0 : read_all(f);

	if (rc != 0)
		return rc;
	f->users = passwd_file_parse(f->path, buf_slice(&f->bytes));
	return f->users == NULL ? EXIT_USAGE : 0;
}

static int read_file(struct passwd_file *f, const char *path, bool to_change, bool missing_ok)
{
	int rc;

	open_none(f, path);
	rc = open_file(f, to_change);
	if (rc == -ENOENT)
		rc = missing_ok ? 0 : missing(f);
	return rc == 0 ? load_users(f) : rc;
}

int passwd_file_read(struct passwd_file *f, const char *path)
{
	return read_file(f, path, false, false);
}

int passwd_file_check(struct passwd_file *f, const char *path, bool create)
{
	return read_file(f, path, true, create);
}

/* Is the open file still the one with this name? */
static bool is_current(const struct passwd_file *f)
{
	struct stat st;

	return fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == f->st.st_dev && st.st_ino == f->st.st_ino;
}

int passwd_file_lock(struct passwd_file *f, const char *path, bool create)
{
	int rc;

	open_none(f, path);
	for (;;) {
		rc = open_or_create(f, create);
		if (rc != 0)
			return rc == -ENOENT ? missing(f) : rc;
		if (flock(f->fd, LOCK_EX) != 0)
			return report_error(EXIT_FAILED, "cannot lock %s: %s", path,
			                    strerror(errno));
		if (is_current(f))
			return load_users(f);
	}
}

/* The new file gets owner, group and mode of the old one, without access for others. */
static int copy_owner(const struct passwd_file *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if ((st.st_uid != f->st.st_uid || st.st_gid != f->st.st_gid) &&
	    fchown(fd, f->st.st_uid, f->st.st_gid) != 0)
		return -errno;
	return fchmod(fd, f->st.st_mode & 0660) == 0 ? 0 : -errno;
}

/* The bytes are on disk before the rename, and the rename is before success is reported. */
static int put_in_place(struct passwd_file *f, const char *temporary, struct slice bytes)
{
	int fd = openat(f->dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = copy_owner(f, fd);
	if (rc == 0)
		rc = write_all(fd, bytes);
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(f->dir_fd, temporary, f->dir_fd, f->name) != 0)
		rc = -errno;
	if (rc != 0) {
		(void)unlinkat(f->dir_fd, temporary, 0);
		return rc;
	}
	return fsync(f->dir_fd) == 0 ? 0 : -errno;
}

static int write_file(struct passwd_file *f, struct slice bytes)
{
	char *temporary = xasprintf(".%s.%016" PRIx64, f->name, random_u64());
	sigset_t all, before;
	int rc;

	/* A signal must not leave the temporary file behind. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	rc = put_in_place(f, temporary, bytes);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(temporary);
	if (rc == -EPERM)
		return report_error(
		    EXIT_FAILED,
		    "cannot keep the owner and group of %s; run this as its owner or "
		    "as root",
		    f->path);
	if (rc != 0)
		return report_denial(f, -rc, "write");
	if ((f->st.st_mode & 07) != 0)
		(void)report_error(0, "note: other users had access to %s; this was removed",
		                   f->path);
	return 0;
}

int passwd_file_replace(struct passwd_file *f, struct slice bytes)
{
	struct password_file *check;
	int rc = EXIT_USAGE;

	REQUIRE(f->fd >= 0 && f->users != NULL); /* locked, and read since */
	check = passwd_file_parse(f->path, bytes);
	if (check != NULL)
		rc = write_file(f, bytes);
	password_file_unref(&check);
	return rc;
}

uint64_t passwd_file_new_id(const struct password_file *users)
{
	uint64_t id;
	bool taken;

	do {
		id = random_u64();
		taken = id == 0;
		for (size_t i = 0; !taken && i < password_file_count(users); i++)
			taken = password_file_at(users, i)->entry_id == id;
	} while (taken);
	return id;
}

int passwd_file_change(struct passwd_file *f, unsigned line, struct slice text)
{
	struct slice rest = buf_slice(&f->bytes);
	struct buf out = {0};
	int rc;

	REQUIRE(f->fd >= 0 && f->users != NULL);
	buf_reserve(&out, rest.len + text.len);
	for (unsigned number = 1; rest.len > 0; number++) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);
		struct slice at =
		    newline == NULL ? rest : slice_of(rest.data, (size_t)(newline - rest.data) + 1);

		buf_put_slice(&out, number == line ? text : at);
		rest = slice_skip(rest, at.len);
	}
	if (line == 0)
		buf_put_slice(&out, text);
	rc = passwd_file_replace(f, buf_slice(&out));
	crypto_wipe(out.data, out.len);
	buf_fini(&out);
	return rc;
}

void passwd_file_close(struct passwd_file *f)
{
	password_file_unref(&f->users);
	crypto_wipe(f->bytes.data, f->bytes.len);
	buf_fini(&f->bytes);
	close_both(f);
	free(f->name);
}
