/* What all files of the store share: the tables, and types that several of its interfaces use. */
#ifndef STORE_STORE_TABLES_H
#define STORE_STORE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Keys are fixed-size numbers (big endian, so that their order is the table's) or hashes; names are
 * values. */
enum store_table {
#define TABLE(id, ...) TABLE_##id,
#include "store/store_tables.def"
	TABLES,
};

/* Tables of all later formats have numbers below it. */
#define STORE_TABLES_MAX 32
_Static_assert(TABLES <= STORE_TABLES_MAX, "all tables have a number");

const char *store_tables_name(enum store_table table);

#define STORE_ERROR_TEXT 512

typedef bool store_visit_fn(void *arg, struct slice key, struct slice value);

/* A moment: store time (journal/store_clock.h), and what the wall clock showed.  Zeros: not known.
 */
struct store_time {
	uint64_t time_ms;
	int64_t wall_ms;
};

struct store_status {
	uint64_t map_bytes, file_bytes, used_bytes, max_bytes;
	uint64_t transaction; /* number of the last one committed */
	uint64_t rows[STORE_TABLES_MAX];
};

#endif
