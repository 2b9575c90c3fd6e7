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
