/* Opening the audit file. */
#include "program/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "program/trust.h"

/* Not blocking: a FIFO without a reader is an error, and no reason to wait. */
#define AUDIT_FLAGS (O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)

static char *audit_path;

static int open_path(const char *path, int create)
{
	int fd = open(path, AUDIT_FLAGS | create, 0640);
	struct stat st;

	if (fd < 0)
		return -errno;
	/* Somebody else may have put the file there, to read it or to have it written to. */
	/* mutant: trust_audit_file */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (!trust_is_owner(st.st_uid) || (st.st_mode & S_IWOTH) != 0)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

int audit_file_check(const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd = open_path(path, 0), failed = fd < 0 ? fd : 0;
	char *directory;

	if (fd >= 0)
		close(fd);
	if (failed != -ENOENT)
		return failed;
	directory = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path) + 1);
	failed = faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
	free(directory);
	return failed;
}

int audit_file_open(const char *path)
{
	int fd;

	if (path == NULL) {
		audit_file_close();
		return 0;
	}
	fd = open_path(path, O_CREAT);
	if (fd < 0)
		return fd;
	free(audit_path);
	audit_path = xstrdup(path);
	log_set_audit(fd);
	return 0;
}

int audit_file_reopen(void)
{
	int fd;

	if (audit_path == NULL)
		return 0;
	fd = open_path(audit_path, O_CREAT);
	if (fd < 0)
		return fd;
	log_set_audit(fd);
	return 0;
}

void audit_file_close(void)
{
	log_set_audit(-1);
	free(audit_path);
	audit_path = NULL;
}
