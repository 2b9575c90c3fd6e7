/* The file "note": number of the transaction, store time, a checksum; then the wall clock's time,
 * and a checksum of everything before it.  Eight bytes each.  Older versions know the first three,
 * and leave the rest as it was, where its checksum is wrong then. */
#include "store/store_last_commit.h"

#include <unistd.h>
#include <xxhash.h>

#include "base/bytes.h"

#define FIRST_BYTES 24
#define FILE_BYTES  40

void store_last_commit_read(const struct store_lock *lock, struct store_last_commit *out)
{
	uint8_t bytes[FILE_BYTES] = {0};
	struct reader r = reader_of(slice_of(bytes, sizeof(bytes)));
	ssize_t n = pread(lock->last_commit_fd, bytes, sizeof(bytes), 0);
	uint64_t transaction = read_u64(&r), time_ms = read_u64(&r);
	int64_t wall_ms;

	*out = (struct store_last_commit){.written = n > 0};
	if (n < FIRST_BYTES || read_u64(&r) != XXH3_64bits(bytes, FIRST_BYTES - 8))
		return;
	out->transaction = transaction;
	out->time = (struct store_time){.time_ms = time_ms, .wall_ms = (int64_t)time_ms};
	wall_ms = (int64_t)read_u64(&r);
	if (n == FILE_BYTES && read_u64(&r) == XXH3_64bits(bytes, FILE_BYTES - 8))
		out->time.wall_ms = wall_ms;
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
	buf_put_u64(&b, last_commit->time.time_ms);
	buf_put_u64(&b, XXH3_64bits(b.data, b.len));
	buf_put_u64(&b, (uint64_t)last_commit->time.wall_ms);
	buf_put_u64(&b, XXH3_64bits(b.data, b.len));
	if (pwrite(lock->last_commit_fd, b.data, b.len, 0) != (ssize_t)b.len) {
		/* What the file says is older, and still true. */
	}
	buf_fini(&b);
}
