/* Below the store: store.c checksums rows and keeps the rules of a transaction, a backend keeps the
 * rows.  LMDB is the only one in the product.  The table of functions is here for the tests, which
 * run LMDB beside a backend in memory and one that fails on demand (tests/support).  Only
 * store.c calls through it; only the store's own files and those backends include this. */
#ifndef STORE_STORE_BACKEND_H
#define STORE_STORE_BACKEND_H

#include "store/store_tables.h"

#define STORE_CHECKSUM_BYTES 8
#define STORE_KEY_MAX        511 /* what LMDB takes */
#define STORE_TABLE_MARK     '~' /* before the name of a table, among the rows of TABLE_META */

/* Rows of TABLE_META that are this layer's own. */
#define STORE_ROW_FORMAT SLICE("format") /* four bytes: STORE_FORMAT */
#define STORE_ROW_COMMIT                                                                           \
	SLICE("commit") /* written by each: number, store time, wall time (some have none); 8      \
	                   bytes each */

struct store;

/* Its value. */
void store_backend_put_commit(struct buf *out, uint64_t number, struct store_time time);
bool store_backend_read_commit(struct slice value, uint64_t *number, struct store_time *time);

/* A backend.  0 or -errno; -ENOENT where there is no such row; the rest as in store.h.  An error
 * ends nothing: store.c calls `abort`.  Only `commit` ends the transaction, in any case. */
struct store_ops {
	int (*begin)(struct store *store);
	uint64_t (*number)(struct store *store); /* of the open transaction */
	/* The row is value, then the checksum, big endian. */
	int (*put)(struct store *store, enum store_table table, struct slice key,
	           struct slice value, uint64_t checksum);
	int (*get)(struct store *store, enum store_table table, struct slice key,
	           struct slice *row);
	int (*remove)(struct store *store, enum store_table table, struct slice key);
	int (*scan)(struct store *store, enum store_table table, struct slice from,
	            store_visit_fn *visit, void *arg);
	int (*commit)(struct store *store);
	void (*abort)(struct store *store);
	/* Let there be all tables below `count`; with this transaction, or not at all. NULL: there
	 * are. */
	int (*make_tables)(struct store *store, unsigned count);
	void (*status)(struct store *store, struct store_status *out);
	/* Can the file grow by that much? NULL: always. */
	bool (*reserve)(struct store *store, const struct store_status *status, uint64_t bytes);
	void (*save_time)(struct store *store, struct store_time time); /* not in a transaction */
	void (*release)(struct store *store);                           /* NULL: there is nothing */
	void (*close)(struct store *store);                             /* frees it */
};

/* The first member of a backend's own. */
struct store {
	const struct store_ops *ops;
	unsigned table_count; /* there are those with a number below it */
	uint32_t upgraded_from;
	struct store_time time; /* the latest known */
	int error;              /* the first one of the transaction, 0: none */
	bool open;              /* a transaction */
	bool changed;           /* by it */
	bool failed;            /* the disk, for good */
};

/* The checksum of a row. */
uint64_t store_backend_checksum(enum store_table table, struct slice key, struct slice value);
/* The same, where the value comes in pieces: XXH3 of the value with this seed. */
uint64_t store_backend_checksum_seed(enum store_table table, struct slice key);
/* Value of a stored row; false: the checksum is broken. */
bool store_backend_checksum_verify(enum store_table table, struct slice key, struct slice row,
                                   struct slice *value);

#endif
