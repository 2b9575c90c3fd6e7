/* A process that is killed, or meets a full disk, at its N-th step on files: preloaded
 * (LD_PRELOAD).
 *
 * VAKT_INTERRUPT  "kill N": SIGKILL before step N; "full N": from step N on nothing can be written;
 *                 "count FILE": writes the number of steps there at each step */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void write_count(const char *path, long count)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld", count);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return;
	(void)syscall(SYS_write, fd, text, (size_t)len);
	(void)syscall(SYS_close, fd);
}

/* True: nothing can be written. */
static int step(void)
{
	static long count;
	const char *how = getenv("VAKT_INTERRUPT");

	count++;
	if (how == NULL)
		return 0;
	if (strncmp(how, "count ", 6) == 0)
		write_count(how + 6, count);
	if (strncmp(how, "kill ", 5) == 0 && count == strtol(how + 5, NULL, 10))
		(void)raise(SIGKILL);
	return strncmp(how, "full ", 5) == 0 && count >= strtol(how + 5, NULL, 10);
}

static int fail(void)
{
	errno = ENOSPC;
	return -1;
}

int openat(int dir, const char *path, int flags, ...)
{
	unsigned mode = 0;

	if ((flags & O_CREAT) != 0) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, unsigned);
		va_end(args);
		if (step())
			return fail();
	}
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t len)
{
	if (fd > STDERR_FILENO && step())
		return fail();
	return syscall(SYS_write, fd, data, len);
}

int fsync(int fd)
{
	return step() ? fail() : (int)syscall(SYS_fsync, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	(void)step();
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
	(void)step();
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return step() ? fail() : (int)syscall(SYS_mkdirat, dir, path, mode);
}
