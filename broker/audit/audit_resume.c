/* No line is longer than TAIL_MAX: log.c cuts each of its values. */
#include "audit/audit_resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"
#include "program/trust.h"

/* Not blocking: a FIFO without a reader is an error, and no reason to wait. */
#define FLAGS    (O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
#define TAIL_MAX ((size_t)262144)

static int refuse(struct buf *why, int failed, const char *path, const char *text)
{
	buf_printf(why, "%s %s", path, text);
	return failed;
}

static int open_file(const char *path, struct audit_resumed *out, struct buf *why)
{
	struct stat st;

	out->fd = open(path, FLAGS, 0640);
	if (out->fd < 0) {
		int failed = -errno;

		trust_describe_denial(path, W_OK, why);
		return why->len > 0 ? failed : refuse(why, failed, path, strerror(-failed));
	}
	if (fstat(out->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return refuse(why, -EINVAL, path, "is no regular file: name another one");
	if (!trust_is_owner(st.st_uid) || (st.st_mode & S_IWOTH) != 0)
		return refuse(why, -EPERM, path,
		              "belongs to somebody else, or others may write it: move it away, and "
		              "a new one is made");
	if (flock(out->fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(why, -EBUSY, path, "is written by another broker: name another file");
	out->size = (uint64_t)st.st_size;
	return 0;
}

/* The head from what the end of the file holds. False: it is no audit file. */
static bool read_head(struct slice tail, bool is_whole, struct audit_resumed *out)
{
	const uint8_t *end = memrchr(tail.data, '\n', tail.len), *start;

	if (end == NULL) { /* not even the first line was finished */
		out->torn_bytes = tail.len;
		return is_whole && slice_starts_with(tail, SLICE("{\"time\":\""));
	}
	out->torn_bytes = tail.len - (size_t)(end - tail.data) - 1;
	start = memrchr(tail.data, '\n', (size_t)(end - tail.data));
	if (start == NULL && !is_whole)
		return false;
	start = start == NULL ? tail.data : start + 1;
	return audit_chain_read(slice_of(start, (size_t)(end - start)), &out->head);
}

static int find_head(const char *path, struct audit_resumed *out, struct buf *why)
{
	size_t len = out->size < TAIL_MAX ? (size_t)out->size : TAIL_MAX;
	uint8_t *tail = xcalloc(1, len);
	ssize_t n = pread(out->fd, tail, len, (off_t)(out->size - len));
	int failed = 0;

	if (n != (ssize_t)len)
		failed = refuse(why, -EIO, path, "cannot be read");
	else if (!read_head(slice_of(tail, len), out->size == len, out))
		failed = refuse(why, -EINVAL, path,
		                "does not end with a line of the audit: move it away, and a new "
		                "chain begins");
	free(tail);
	return failed;
}

int audit_resume(const char *path, struct audit_resumed *out, struct buf *why)
{
	int failed;

	*out = (struct audit_resumed){.fd = -1};
	failed = open_file(path, out, why);
	if (failed == 0 && out->size > 0)
		failed = find_head(path, out, why);
	if (failed == 0 && out->torn_bytes > 0) {
		REQUIRE(out->torn_bytes <= out->size);
		out->size -= out->torn_bytes;
		/* mutant: audit_torn_line */
		if (ftruncate(out->fd, (off_t)out->size) != 0)
			failed = refuse(why, -errno, path, "cannot be shortened to its last line");
	}
	if (failed != 0 && out->fd >= 0) {
		close(out->fd);
		out->fd = -1;
	}
	return failed;
}
