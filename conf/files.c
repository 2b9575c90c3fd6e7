/* Files by name: reading them whole, and judging who else may read or write them.  Thread: the
 * caller's. */
#include "conf/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/conf.h"

#define OTHERS_READ_WRITE (S_IROTH | S_IWOTH)

static const char *error_remedy(int error)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
	    {ENOENT, "there is no such file: check the name, relative names start at the "
	             "directory of the file that names them"},
	    {ENOTDIR, "a part of its path is not a directory"},
	    {EACCES, "the broker's user may not read it: check owner, group and mode, also of the "
	             "directories above"},
	    {EISDIR, "this is a directory, a file is wanted"},
	    {ELOOP, "its symbolic links lead in a circle"},
	    {EFBIG, "it is too large"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].error == error)
			return rows[i].text;
	return strerrordesc_np(error);
}

static int cannot_read(const char *path, int error, struct errors *errors)
{
	errors_add(errors, path, 0, 0, "cannot be read: %s", error_remedy(error));
	return -error;
}

/* Its size is a hint only: it may change while we read. */
static int read_all(int fd, size_t max_bytes, struct buf *out)
{
	size_t start = out->len;

	for (;;) {
		ssize_t n;

		buf_reserve(out, 4096);
		n = read(fd, out->data + out->len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len - start > max_bytes)
			return -EFBIG;
	}
}

int conf_read_file(const char *path, size_t max_bytes, struct buf *out, struct errors *errors)
{
	/* Nonblocking: a pipe without a writer must not hold up the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd < 0)
		return cannot_read(path, errno, errors);
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else
		rc = read_all(fd, max_bytes, out);
	close(fd);
	if (rc == -EINVAL)
		errors_add(errors, path, 0, 0, "this is not a regular file");
	else if (rc == -EFBIG)
		errors_add(errors, path, 0, 0, "larger than the limit of %zu bytes", max_bytes);
	else if (rc != 0)
		cannot_read(path, -rc, errors);
	return rc;
}

char *conf_resolve_path(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL || path[0] == '/')
		return xstrdup(path);
	return xasprintf("%.*s%s", (int)(slash - file + 1), file, path);
}

/* The path as a word of a shell command. */
static char *shell_word(const char *path)
{
	struct buf out = {0};

	if (path[0] != '-' &&
	    path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                      "abcdefghijklmnopqrstuvwxyz0123456789_./-+@:,")] == '\0')
		return xstrdup(path);
	buf_printf(&out, "%s'", path[0] == '-' ? "./" : "");
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == '\'')
			buf_put_slice(&out, SLICE("'\\''"));
		else
			buf_put(&out, p, 1);
	}
	buf_put_slice(&out, SLICE("'"));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

/* `bad`: the mode bits that others must not have; `remedy`: what chmod takes away. */
static int check_mode(const char *path, const char *what, mode_t bad, struct errors *errors)
{
	bool private = (bad & S_IROTH) != 0;
	struct stat st;
	char *word;

	if (stat(path, &st) != 0) {
		int error = errno;

		errors_add(errors, path, 0, 0, "%s: cannot be read: %s", what, error_remedy(error));
		return -error;
	}
	if ((st.st_mode & bad) == 0)
		return 0;
	word = shell_word(path);
	errors_add(errors, path, 0, 0, "%s: others may %s it (mode %04o); run: chmod %s %s", what,
	           (st.st_mode & bad & S_IROTH) != 0 ? "read" : "write",
	           (unsigned)(st.st_mode & 07777), private ? "o-rwx" : "o-w", word);
	free(word);
	return -EACCES;
}

int conf_check_directory(const char *path, const char *what, struct errors *errors)
{
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT)
		return 0;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errors_add(errors, path, 0, 0, "%s: this is not a directory, one is wanted", what);
		return -ENOTDIR;
	}
	return check_mode(path, what, S_IWOTH, errors);
}

int conf_check_private(const char *path, const char *what, struct errors *errors)
{
	return check_mode(path, what, OTHERS_READ_WRITE, errors);
}

int conf_check_unwritable(const char *path, const char *what, struct errors *errors)
{
	return check_mode(path, what, S_IWOTH, errors);
}
