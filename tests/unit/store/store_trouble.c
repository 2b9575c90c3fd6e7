/* See store_trouble.h.  Everything goes to the kernel by syscall(): no other library's idea of a
 * file is in between. */
#undef _FILE_OFFSET_BITS
#include "store_trouble.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static enum trouble armed;
static unsigned calls_left;
static bool came;

void store_trouble_arm(enum trouble trouble, unsigned call)
{
	armed = trouble;
	calls_left = call;
	came = false;
}

bool store_trouble_came(void)
{
	return came;
}

/* True: it is to do nothing, and errno says why. */
static bool strikes_before(void)
{
	if (armed == TROUBLE_NONE || calls_left > 0)
		return false;
	came = true;
	if (armed == TROUBLE_KILL_BEFORE)
		(void)raise(SIGKILL);
	errno = armed == TROUBLE_FULL ? ENOSPC : EIO;
	return armed != TROUBLE_KILL_AFTER;
}

static long done(long result)
{
	if (armed == TROUBLE_KILL_AFTER && calls_left == 0)
		(void)raise(SIGKILL);
	if (armed != TROUBLE_NONE && calls_left > 0)
		calls_left--;
	return result;
}

#define PASS_ON(...) (strikes_before() ? -1 : done(syscall(__VA_ARGS__)))

ssize_t write(int fd, const void *bytes, size_t len)
{
	return PASS_ON(SYS_write, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return PASS_ON(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
	return PASS_ON(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite64(fd, bytes, len, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	return PASS_ON(SYS_pwritev, fd, parts, count, (long)offset, 0L);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t len)
{
	return (int)PASS_ON(SYS_ftruncate, fd, len);
}

int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

int fsync(int fd)
{
	return (int)PASS_ON(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return (int)PASS_ON(SYS_fdatasync, fd);
}
