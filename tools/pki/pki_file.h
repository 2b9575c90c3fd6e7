/* Files outside of the directory: those that a person names.  Errors are printed to stderr;
 * functions return the exit status.  Thread: main. */
#ifndef PKI_FILE_H
#define PKI_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/bytes.h"

/* Append the file; "-" is standard input. One of more than `max` bytes is cut after max + 1. */
int pki_read_file(const char *path, size_t max, struct buf *out);
/* Whole or not at all; mode 0600 where it is secret. */
int pki_write_file(const char *path, struct slice bytes, bool is_secret);

/* A new, flushed file; `owner` NULL: as it comes, otherwise what root makes is given to him. 0 or
 * -errno, without a message; then there is no file. */
int pki_file_create(int dir_fd, const char *name, struct slice bytes, mode_t mode,
                    const struct stat *owner);
/* Files and directories that root makes belong to the owner of the directory. 0 or -errno. */
int pki_file_give(int fd, const struct stat *owner);

#endif
