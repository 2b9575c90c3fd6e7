/* Is the file of a store valid?  Before LMDB maps a file, all of it is read and checked:
 * its pages (lmdb_walk.h), the tables of its format, the checksum of each row, and that the newest
 * meta page is the one of the newest commit.  Whatever the bytes are: it returns. */
#ifndef STORE_STORE_VERIFY_H
#define STORE_STORE_VERIFY_H

#include "store/lmdb_walk.h"
#include "store/store_format.h"

/* Each row that is fine, in order within its table, of damaged files too. NULL: not wanted. */
typedef void verify_row_fn(void *arg, enum store_table table, struct slice key, struct slice value);

struct verify_report {
	uint64_t damages;            /* found; 0: none */
	char text[STORE_ERROR_TEXT]; /* the first of them, or why it was not verified */
	uint32_t lmdb_version;       /* of a file that was not verified (-ENOTSUP), else 0 */
	uint32_t format;             /* 0: not found */
	uint64_t transaction;
	struct store_time time;
	uint64_t page_bytes, pages, pages_free, file_bytes;
	uint64_t pages_lost; /* in no list: no harm, they are only not used */
	uint64_t rows[STORE_TABLES_MAX];
};

/* By the tables of its own format; `formats` NULL: those that this version knows.  0; -EBADMSG:
 * damaged; -ENOTSUP: nothing was verified, as the file has a version of LMDB's format that the walk
 * does not know (LMDB itself may); or what reading failed with.  report->text says which. */
int store_verify(const struct lmdb_source *source, const struct store_formats *formats,
                 verify_row_fn *row, void *arg, struct verify_report *report);
int store_verify_file(int fd, const struct store_formats *formats, verify_row_fn *row, void *arg,
                      struct verify_report *report);
/* Only far enough to know its format: the rest is not read. */
int store_verify_format(int fd, struct verify_report *report);

#endif
