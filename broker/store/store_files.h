/* The files of a store as broker-store handles them.  A path is that of a store's directory, or of
 * a file: a backup.  0 or -errno, and *text says what is wrong and what to do.  Thread: any; these
 * block. */
#ifndef STORE_STORE_FILES_H
#define STORE_STORE_FILES_H

#include "store/store_format.h"
#include "store/store_verify.h"

/* May this store, backup or directory be believed (base/trust.h)? What is missing may, where nobody
 * else can make it. */
int store_files_believe(const char *path, char text[STORE_ERROR_TEXT]);

/* Keep brokers away from it, until *fd is closed (-1: there is nothing to lock). False: a broker
 * runs there; *pid is its process, 0: not known. */
bool store_files_hold(const char *path, int *fd, long *pid);

/* Verify what no broker writes to: the file, and that it is not older than what was acknowledged.
 */
int store_files_check(const char *path, verify_row_fn *row, void *arg, struct verify_report *report,
                      char text[STORE_ERROR_TEXT]);
/* Open to read beside a broker that runs. */
int store_files_read(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT],
                     struct store **out);

/* The format of what is there, without reading the rest; 0: there is nothing yet. -EPROTONOSUPPORT:
 * a newer one.  0 and a *text: a warning, that it cannot be verified. */
int store_files_format(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT]);
/* What a broker that knows formats up to `newest` will do to it when it starts; empty: nothing. */
void store_files_foretell(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT]);

/* The state of one moment, checked and on disk, into a new file `to`, or into a data.mdb where that
 * is a directory. *text: where it is. */
int store_files_backup(const char *path, const char *to, char text[STORE_ERROR_TEXT]);
/* These want the directory for themselves. */
int store_files_compact(const char *directory, char text[STORE_ERROR_TEXT]);
/* *text: where what was there is kept; empty: nothing was. */
int store_files_restore(const char *directory, const char *from, char text[STORE_ERROR_TEXT]);

#endif
