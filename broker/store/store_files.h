/* The files of a store as broker-store handles them.  A path is that of a store's directory, or of
 * a file: a backup.  0 or -errno, and *text says what is wrong and what to do.  Thread: any; these
 * block. */
#ifndef STORE_STORE_FILES_H
#define STORE_STORE_FILES_H

#include "store/store_format.h"
#include "store/store_load.h"
#include "store/store_verify.h"

/* May this store, backup or directory be trusted (program/trust.h)? Something that is missing may,
 * where nobody else can make it. */
int store_files_check_trust(const char *path, char text[STORE_ERROR_TEXT]);

/* Lock it against brokers, until *fd is closed (-1: there is nothing to lock).  False: a broker
 * runs there; *pid is its process, -1: not known. */
bool store_files_hold(const char *path, int *fd, long *pid);

/* Verify a file that no broker writes to, and that it is not older than what was acknowledged. */
int store_files_check(const char *path, verify_row_fn *row, void *arg, struct verify_report *report,
                      char text[STORE_ERROR_TEXT]);
/* Open it to read, also while a broker runs. */
int store_files_read(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT],
                     struct store **out);

/* The format of what is there, without reading the rest; 0: there is nothing yet. -EPROTONOSUPPORT:
 * a newer one.  0 and a *text: a warning, that it cannot be verified. */
int store_files_format(const char *path, uint32_t *format, char text[STORE_ERROR_TEXT]);
/* What a broker that knows formats up to `newest` does to it when it starts; empty: nothing. */
void store_files_describe_upgrade(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT]);

/* The state of one moment, verified and on disk, in a new file `to`, or in a data.mdb where that is
 * a directory. *text: where it is. */
int store_files_backup(const char *path, const char *to, char text[STORE_ERROR_TEXT]);
/* For these the broker may not run. */
int store_files_compact(const char *directory, char text[STORE_ERROR_TEXT]);
/* *text: where the store that was there is now; empty: there was none. */
int store_files_restore(const char *directory, const char *from, char text[STORE_ERROR_TEXT]);
/* The same with a store that is made of a dump. */
int store_files_load(const char *directory, const struct store_load *load,
                     char text[STORE_ERROR_TEXT]);

#endif
