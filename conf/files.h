/* Files by name: reading them whole within a bound.  Checks of their modes are in conf.h.  Thread:
 * the caller's. */
#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "base/bytes.h"
#include "conf/errors.h"

/* Append a regular file of at most max_bytes to *out. 0, or -errno with an error in *errors. A
 * symbolic link is followed, a pipe or device refused without waiting for it. */
int conf_read_file(const char *path, size_t max_bytes, struct buf *out, struct errors *errors);

/* `path` as seen from the directory in which `file` lies; absolute paths stay. The caller frees. */
char *conf_resolve_path(const char *file, const char *path);

#endif
