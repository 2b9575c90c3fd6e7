/* Is the file of a store as it must be?  LMDB has no checksums and believes every number in its
 * file: of a damaged one it makes a crash, or a lie.  So before it maps the file, all of it is read
 * here and checked: both meta pages, each page of each tree, the order of the keys, the counts, the
 * list of free pages, the checksum of each row, and that the newest meta page is the one of the
 * newest commit.  Read with pread into memory of our own, never mapped: no SIGBUS where the file
 * ends too early, and so no need of a child process that may die in our place.  Memory: a bit for
 * each page. Whatever the bytes are: it returns. */
#ifndef STORE_LMDB_VERIFY_H
#define STORE_LMDB_VERIFY_H

#include "store/store_format.h"

/* Where the bytes are. */
struct verify_source {
	uint64_t size_bytes;
	/* Exactly these; 0 or -errno. Never asked for bytes behind the end. */
	int (*read)(void *arg, uint64_t offset, void *out, size_t len);
	/* So many from the beginning will be read, in another order. NULL: fine. */
	void (*fetch)(void *arg, uint64_t bytes);
	void *arg;
	/* By these it is judged: the tables of its own format.  NULL: those that this version
	 * knows. */
	const struct store_formats *formats;
};

/* Each row that is fine, in order within its table, of damaged files too. NULL: not wanted. */
typedef void verify_row_fn(void *arg, enum store_table table, struct slice key, struct slice value);

struct verify_report {
	uint64_t damages;            /* found; 0: the file is fine */
	char text[STORE_ERROR_TEXT]; /* the first of them */
	uint32_t format;             /* 0: not found */
	uint64_t transaction, time_ms;
	uint64_t page_bytes, pages, pages_free, file_bytes;
	uint64_t pages_lost; /* in no list: no harm, they are only not used */
	uint64_t rows[STORE_TABLES_MAX];
};

/* 0; -EBADMSG: damaged; or what reading failed with (report->text says so). */
int store_verify(const struct verify_source *source, verify_row_fn *row, void *arg,
                 struct verify_report *report);
int store_verify_file(int fd, const struct store_formats *formats, verify_row_fn *row, void *arg,
                      struct verify_report *report);
/* Only far enough to know its format: the rest is not read. */
int store_verify_format(int fd, struct verify_report *report);

#endif
