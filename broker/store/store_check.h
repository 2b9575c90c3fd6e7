/* When a file may be opened, and the messages when it may not: the same for the broker and
 * broker-store.  0 or -errno. */
#ifndef STORE_STORE_CHECK_H
#define STORE_STORE_CHECK_H

#include "store/store_last_commit.h"
#include "store/store_verify.h"

#define STORE_NEW_FILE STORE_DATA_FILE ".new" /* not complete yet */

/* "PATH WHAT: the error". -error. */
int store_check_explain(char text[STORE_ERROR_TEXT], int error, const char *path, const char *what);
/* What a file is checked against. */
struct store_check {
	const char *path;
	struct store_last_commit last_commit; /* which it must contain; zeros: any */
	const struct store_formats *formats;  /* one of these */
	verify_row_fn *row;                   /* gets its rows; NULL: not wanted */
	void *arg;
};

/* "PATH is damaged: what the report says", or that it was not verified.  rc as it is. */
int store_check_explain_report(int rc, const char *path, const struct verify_report *report,
                               char text[STORE_ERROR_TEXT]);
/* -ENOTSUP with report->lmdb_version: it was not verified. */
int store_check_content(int fd, const struct store_check *check, struct verify_report *report,
                        char text[STORE_ERROR_TEXT]);
/* May LMDB open it?  A file that cannot be verified because of its version may, with a warning in
 * the log.  *there false: there is no file, and never was. */
int store_check_file(const struct store_check *check, bool *there, char text[STORE_ERROR_TEXT]);
/* Append what to do about it. */
void store_check_add_remedy(const char *directory, char text[STORE_ERROR_TEXT]);
/* Remove the lock file that LMDB makes beside `path`. */
void store_check_remove_lock(const char *path);

#endif
