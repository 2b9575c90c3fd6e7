/* Files by name: reading them whole within a bound, if they may be believed (base/trust.h). Thread:
 * main. */
#ifndef CONF_CONFIG_FILES_H
#define CONF_CONFIG_FILES_H

#include "base/bytes.h"
#include "conf/errors.h"

struct conf_file {
	const char *path;
	const char *what; /* "password file", for messages */
	size_t max_bytes;
	bool is_secret; /* others may not read it */
};

/* Append a regular file to *out. 0, or -errno with an error in *errors: -EACCES also where others
 * can change it. A symbolic link is followed, a pipe or device refused without waiting for it. */
int conf_read_file(const struct conf_file *file, struct buf *out, struct errors *errors);

/* `path` as seen from the directory in which `file` lies; absolute paths stay. The caller frees. */
char *conf_resolve_path(const char *file, const char *path);

#endif
