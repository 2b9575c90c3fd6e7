/* Between the files of the disk layer: disk.c checksums rows and keeps the rules of a transaction,
 * an implementation keeps the sealed rows.  Nobody else includes this, but their tests. */
#ifndef STORE_STORE_BACKEND_H
#define STORE_STORE_BACKEND_H

#include "store/store.h"

#define STORE_CHECKSUM_BYTES 8
#define STORE_KEY_MAX        511 /* what LMDB takes */
#define STORE_TABLE_MARK     '~' /* before the name of a table, among the rows of TABLE_META */

/* Rows of TABLE_META that are this layer's own. */
#define STORE_ROW_FORMAT SLICE("format") /* four bytes: STORE_FORMAT */
#define STORE_ROW_COMMIT                                                                           \
	SLICE("commit") /* written by each: its number, its time; eight bytes each */

/* An implementation.  0 or -errno; -ENOENT where there is no such row; the rest as in disk.h.  An
 * error ends nothing: disk.c calls `abort`.  Only `commit` ends the transaction, in any case. */
struct store_ops {
	int (*begin)(struct store *d);
	uint64_t (*number)(struct store *d); /* of the open transaction */
	/* The row is value, then the checksum, big endian. */
	int (*put)(struct store *d, enum store_table table, struct slice key, struct slice value,
	           uint64_t checksum);
	int (*get)(struct store *d, enum store_table table, struct slice key, struct slice *row);
	int (*remove)(struct store *d, enum store_table table, struct slice key);
	int (*scan)(struct store *d, enum store_table table, struct slice from,
	            store_visit_fn *visit, void *arg);
	int (*commit)(struct store *d);
	void (*abort)(struct store *d);
	/* Let there be all tables below `count`; with this transaction, or not at all. NULL: there
	 * are. */
	int (*make_tables)(struct store *d, unsigned count);
	void (*status)(struct store *d, struct store_status *out);
	/* Can the file grow by that much? NULL: always. */
	bool (*reserve)(struct store *d, const struct store_status *status, uint64_t bytes);
	void (*note)(struct store *d, uint64_t time_ms); /* not in a transaction */
	void (*release)(struct store *d);                /* NULL: there is nothing */
	void (*close)(struct store *d);                  /* frees it */
};

/* The first member of an implementation's own. */
struct store {
	const struct store_ops *ops;
	const struct store_formats *formats;
	uint32_t upgraded_from;
	uint64_t time_ms; /* the newest known */
	bool open;        /* a transaction */
	bool changed;     /* by it */
	bool failed;
};

/* The checksum of a row. */
uint64_t store_checksum(enum store_table table, struct slice key, struct slice value);
/* The same, where the value comes in pieces: XXH3 of the value with this seed. */
uint64_t store_checksum_seed(enum store_table table, struct slice key);
/* Value of a stored row; false: the checksum is broken. */
bool store_verify_checksum(enum store_table table, struct slice key, struct slice row,
                           struct slice *value);

/* --- store_format.c --- */

/* From the format before to this one, within the transaction of the whole upgrade; the tables of
 * the newest format are there. 0 or -errno, which takes everything back. */
typedef int store_upgrade_fn(struct store *d);

struct store_format {
	unsigned tables;           /* it has those with a number below it */
	store_upgrade_fn *upgrade; /* NULL: it is the first */
};

struct store_formats {
	const struct store_format *list; /* [n - 1]: format n */
	uint32_t newest;
	const char *const *table_names; /* of the newest */
};
/* What this version of the broker knows. */
extern const struct store_formats store_formats;

/* How many tables that format has; 0: there is no such format, or it is not known. */
unsigned store_format_tables(const struct store_formats *formats, uint32_t format);
/* After opening: the format is the newest, or is made so, or is written into an empty store; the
 * time is known.  All of an upgrade is one transaction. */
int store_settle(struct store *d, char text[STORE_ERROR_TEXT]);
/* Say that this version cannot read that format. -EPROTONOSUPPORT. */
int store_format_refuse(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT]);

/* Of one that is only read: its format, and d knows the time of its last commit. 0 or -errno. */
int store_format_peek(struct store *d, uint32_t *format);
/* A copy begins to count its transactions anew: let the commit row say so. 0 or -errno. */
int store_restamp(struct store *d);

#endif
