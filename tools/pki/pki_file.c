/* Written under another name, flushed, and renamed. */
#include "pki/pki_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"
#include "program/command_line.h"
#include "write_all.h"

/* Files that root makes belong to the owner of the directory. */
int pki_file_give(int fd, const struct stat *owner)
{
	if (owner == NULL || geteuid() != 0 || owner->st_uid == 0)
		return 0;
	return fchown(fd, owner->st_uid, owner->st_gid) == 0 ? 0 : -errno;
}

/* A new file with these bytes, flushed. */
int pki_file_create(int dir_fd, const char *name, struct slice bytes, mode_t mode,
                    const struct stat *owner)
{
	int fd, rc;

	REQUIRE((mode & (S_IWGRP | S_IWOTH)) == 0);
	(void)unlinkat(dir_fd, name, 0);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, bytes);
	if (rc == 0)
		rc = pki_file_give(fd, owner);
	if (rc == 0 && fchmod(fd, mode) != 0)
		rc = -errno;
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc != 0)
		(void)unlinkat(dir_fd, name, 0);
	return rc;
}

int pki_read_file(const char *path, size_t max, struct buf *out)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = 1;

	REQUIRE(max > 0 && max < SIZE_MAX);
	buf_reserve(out, max + 1);
	while (fd >= 0 && n > 0 && out->len <= max) {
		n = read(fd, out->data + out->len, max + 1 - out->len);
		out->len += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0) {
		int error = errno;

		if (fd >= 0 && !is_stdin)
			close(fd);
		return report_error(EXIT_USAGE, "cannot read %s: %s", path, strerror(error));
	}
	if (!is_stdin)
		close(fd);
	return 0;
}

int pki_write_file(const char *path, struct slice bytes, bool is_secret)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == NULL   ? xstrdup(".")
	                  : slash == path ? xstrdup("/")
	                                  : xstrndup(path, (size_t)(slash - path));
	const char *name = slash == NULL ? path : slash + 1;
	char *new_name = xasprintf(".%s.new", name);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : 0;

	if (rc == 0)
		rc = pki_file_create(fd, new_name, bytes, is_secret ? 0600 : 0644, NULL);
	if (rc == 0 && renameat(fd, new_name, fd, name) != 0) {
		rc = -errno;
		(void)unlinkat(fd, new_name, 0);
	}
	if (fd >= 0)
		close(fd);
	free(directory);
	free(new_name);
	return rc == 0 ? 0 : report_error(EXIT_FAILED, "cannot write %s: %s", path, strerror(-rc));
}
