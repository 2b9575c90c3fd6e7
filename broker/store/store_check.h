/* What store_open and broker-store agree on: when a file will do, and how it is said that it does
 * not. (store_open.c) */
#ifndef STORE_STORE_CHECK_H
#define STORE_STORE_CHECK_H

#include "store/lmdb_verify.h"
#include "store/store_lock.h"

#define STORE_NEW_FILE STORE_DATA_FILE ".new" /* one that is not complete yet */

/* "PATH WHAT: the error". -error. */
int store_explain(char text[STORE_ERROR_TEXT], int error, const char *path, const char *what);
/* rc as it is. */
int store_say_damaged(int rc, const char *path, const struct verify_report *report,
                      char text[STORE_ERROR_TEXT]);
/* One that is not damaged: of a format that we know, and not older than the note. */
int store_explain_verdict(const char *path, const struct store_note *note,
                          const struct store_formats *formats, const struct verify_report *report,
                          char text[STORE_ERROR_TEXT]);
/* The file that LMDB makes beside each. */
void store_remove_lock(const char *path);

#endif
