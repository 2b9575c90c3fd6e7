/* What store_open and broker-store agree on: when a file may be opened, and how it is said that it
 * may not.  0 or -errno. */
#ifndef STORE_STORE_CHECK_H
#define STORE_STORE_CHECK_H

#include "store/lmdb_verify.h"
#include "store/store_last_commit.h"

#define STORE_NEW_FILE STORE_DATA_FILE ".new" /* one that is not complete yet */

/* "PATH WHAT: the error". -error. */
int store_check_explain(char text[STORE_ERROR_TEXT], int error, const char *path, const char *what);
/* rc as it is. */
int store_check_explain_damage(int rc, const char *path, const struct verify_report *report,
                               char text[STORE_ERROR_TEXT]);
/* Of a file that is not damaged: its format is known, and it is not older than the last_commit. */
int store_check_verdict(const char *path, const struct store_last_commit *last_commit,
                        const struct store_formats *formats, const struct verify_report *report,
                        char text[STORE_ERROR_TEXT]);
/* All of that.  *there false: nothing is, and nothing ever was. */
int store_check_file(const char *path, const struct store_last_commit *last_commit,
                     const struct store_formats *formats, bool *there, char text[STORE_ERROR_TEXT]);
/* Add what to do about it. */
void store_check_add_remedy(const char *directory, char text[STORE_ERROR_TEXT]);
/* Remove the file that LMDB makes beside each. */
void store_check_remove_lock(const char *path);

#endif
