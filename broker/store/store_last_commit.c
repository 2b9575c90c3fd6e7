/* The file "note": 24 bytes, of which the last eight are a checksum. */
#include "store/store_last_commit.h"

#include <unistd.h>
#include <xxhash.h>

#include "base/bytes.h"

#define FILE_BYTES 24

void store_last_commit_read(const struct store_lock *lock, struct store_last_commit *out)
{
	uint8_t bytes[FILE_BYTES] = {0};
	struct reader r = reader_of(slice_of(bytes, sizeof(bytes)));
	ssize_t n = pread(lock->last_commit_fd, bytes, sizeof(bytes), 0);
	uint64_t transaction = read_u64(&r), time_ms = read_u64(&r);

	*out = (struct store_last_commit){.written = n > 0};
	if (n != (ssize_t)sizeof(bytes) || read_u64(&r) != XXH3_64bits(bytes, FILE_BYTES - 8))
		return;
	out->transaction = transaction;
	out->time_ms = time_ms;
}

void store_last_commit_peek(const char *directory, struct store_last_commit *out)
{
	struct store_lock lock = {
	    .fd = -1, .last_commit_fd = store_lock_open_file(directory, STORE_LAST_COMMIT_FILE)};

	store_last_commit_read(&lock, out);
	store_lock_drop(&lock);
}

void store_last_commit_write(const struct store_lock *lock,
                             const struct store_last_commit *last_commit)
{
	struct buf b = {0};

	buf_put_u64(&b, last_commit->transaction);
	buf_put_u64(&b, last_commit->time_ms);
	buf_put_u64(&b, XXH3_64bits(b.data, b.len));
	if (pwrite(lock->last_commit_fd, b.data, b.len, 0) != (ssize_t)b.len) {
		/* What the file says is older, and still true. */
	}
	buf_fini(&b);
}
