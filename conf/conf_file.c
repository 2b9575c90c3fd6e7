/* What is read is the descriptor that was checked. */
#include "conf/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "program/trust.h"

#define BLOCK ((size_t)4096)

static const char *error_remedy(int error)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
	    {ENOENT, "there is no such file: check the name; relative names in a file start at the "
	             "directory of that file"},
	    {ENOTDIR, "a part of its path is not a directory"},
	    {EACCES, "the user of this program may not read it: check owner, group and mode, also "
	             "of the directories above"},
	    {EISDIR, "this is a directory, a file is wanted"},
	    {ELOOP, "its symbolic links lead in a circle"},
	    {EFBIG, "it is too large"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].error == error)
			return rows[i].text;
	return strerrordesc_np(error);
}

/* Where it was looked for is all that can be wrong. */
static void no_such_argument(const struct conf_file *file, struct errors *errors)
{
	char *directory = file->path[0] == '/' ? NULL : getcwd(NULL, 0);

	errors_add(errors, file->path, 0, 0,
	           "%s: there is no such file%s%s: name it with its directory, for example "
	           "/etc/vakt/broker.yaml",
	           file->what, directory == NULL ? "" : " in the working directory, ",
	           directory == NULL ? "" : directory);
	free(directory);
}

/* It may be that nobody has made it yet. */
static void not_made_yet(const struct conf_file *file, struct errors *errors)
{
	const char *path = strstr(file->made_by, "%s");

	REQUIRE(path != NULL);
	errors_note_cause(errors, ENOENT);
	errors_add(
	    errors, file->path, 0, 0,
	    "%s: there is no such file: make it with '%.*s%s%s', or check the name; relative "
	    "names in a file start at the directory of that file",
	    file->what, (int)(path - file->made_by), file->made_by, file->path, path + 2);
}

static void cannot_read(const char *path, const char *what, int rc, const struct buf *why,
                        struct errors *errors)
{
	errors_note_cause(errors, -rc);
	if (why->len > 0)
		errors_add(errors, path, 0, 0, "%s: %.*s", what, (int)why->len,
		           (const char *)why->data);
	else
		errors_add(errors, path, 0, 0, "%s: cannot be read: %s", what, error_remedy(-rc));
}

static int read_regular(int fd, size_t max_bytes, struct buf *out)
{
	size_t start = out->len;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	/* At once, so that a secret leaves no copies behind as the buffer grows. The size is a hint
	 * only: it may change while we read. */
	buf_reserve(out, (size_t)st.st_size < max_bytes ? (size_t)st.st_size + BLOCK : BLOCK);
	do {
		buf_reserve(out, BLOCK);
		n = read(fd, out->data + out->len, BLOCK);
		if (n < 0 && errno != EINTR)
			return -errno;
		out->len += n < 0 ? 0 : (size_t)n;
	} while (n != 0 && out->len - start <= max_bytes);
	return n == 0 ? 0 : -EFBIG;
}

int conf_read_file(const struct conf_file *file, struct buf *out, struct errors *errors)
{
	struct trust_request request = {
	    .path = file->path, .flags = O_RDONLY, .is_secret = file->is_secret};
	struct buf why = {0};
	/* mutant: trust_tls_files */
	int fd = trust_open(&request, &why);
	int rc = fd < 0 ? fd : read_regular(fd, file->max_bytes, out);

	if (fd >= 0)
		close(fd);
	if (rc == -EINVAL)
		errors_add(errors, file->path, 0, 0, "%s: this is not a regular file", file->what);
	else if (rc == -EFBIG)
		errors_add(errors, file->path, 0, 0, "%s: larger than the limit of %zu bytes",
		           file->what, file->max_bytes);
	else if (rc == -ENOENT && file->is_argument)
		no_such_argument(file, errors);
	else if (rc == -ENOENT && file->made_by != NULL)
		not_made_yet(file, errors);
	else if (rc != 0)
		cannot_read(file->path, file->what, rc, &why, errors);
	buf_fini(&why);
	return rc;
}

char *conf_resolve_path(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL || path[0] == '/')
		return xstrdup(path);
	return xasprintf("%.*s%s", (int)(slash - file + 1), file, path);
}

int conf_check_directory(const char *path, const char *what, struct errors *errors)
{
	struct trust_request request = {
	    .path = path, .flags = O_PATH | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	int rc = trust_check(&request, &why);

	if (rc == -ENOENT)
		rc = 0;
	else if (rc == -ENOTDIR)
		errors_add(errors, path, 0, 0, "%s: this is not a directory, one is wanted", what);
	else if (rc != 0)
		cannot_read(path, what, rc, &why, errors);
	buf_fini(&why);
	return rc;
}

bool conf_file_is_trusted(const struct conf_file *file, struct buf *why)
{
	struct trust_request request = {
	    .path = file->path, .flags = O_RDONLY, .is_secret = file->is_secret};

	return trust_check(&request, why) == 0;
}
