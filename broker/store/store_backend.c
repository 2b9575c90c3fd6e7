/* The checksum of a row: XXH3 of its value, with a seed made of its table and key. */
#include "store/store_backend.h"

#include <xxhash.h>

uint64_t store_backend_checksum_seed(enum store_table table, struct slice key)
{
	/* mutant: store_table_numbers */
	return XXH3_64bits_withSeed(key.data, key.len, (uint64_t)table);
}

uint64_t store_backend_checksum(enum store_table table, struct slice key, struct slice value)
{
	return XXH3_64bits_withSeed(value.data, value.len, store_backend_checksum_seed(table, key));
}

void store_backend_put_commit(struct buf *out, uint64_t number, struct store_time time)
{
	buf_put_u64(out, number);
	buf_put_u64(out, time.time_ms);
	buf_put_u64(out, (uint64_t)time.wall_ms);
}

/* Store time was the wall clock's, or later, while there was no other in the row. */
bool store_backend_read_commit(struct slice value, uint64_t *number, struct store_time *time)
{
	struct reader r = reader_of(value);

	*number = read_u64(&r);
	time->time_ms = read_u64(&r);
	/* mutant: store_clock_old_row */
	time->wall_ms = (int64_t)(reader_left(&r) > 0 ? read_u64(&r) : time->time_ms);
	return !r.bad;
}

bool store_backend_checksum_verify(enum store_table table, struct slice key, struct slice row,
                                   struct slice *value)
{
	struct reader r;

	if (row.len < STORE_CHECKSUM_BYTES)
		return false;
	*value = slice_of(row.data, row.len - STORE_CHECKSUM_BYTES);
	r = reader_of(slice_skip(row, value->len));
	return read_u64(&r) == store_backend_checksum(table, key, *value);
}
