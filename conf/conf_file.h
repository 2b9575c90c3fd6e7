/* Files by name: read whole, within a bound, if they can be trusted (program/trust.h).  Thread:
 * main.
 */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include "base/bytes.h"
#include "conf/errors.h"

struct conf_file {
	const char *path;
	const char *what; /* "password file", for messages */
	size_t max_bytes;
	bool is_secret;   /* others may not read it */
	bool is_argument; /* named on the command line, not in another file */
	/* How it is made where it is missing: a command in which %s is the path. NULL: not by one.
	 */
	const char *made_by;
};

/* Append a regular file to *out. 0, or -errno with an error in *errors: -EACCES also where others
 * can change it. A symbolic link is followed, a pipe or device refused without waiting for it. */
int conf_read_file(const struct conf_file *file, struct buf *out, struct errors *errors);

/* The same question without reading: can it be trusted? False: *why says why not. */
bool conf_file_is_trusted(const struct conf_file *file, struct buf *why);

/* `path` as seen from the directory in which `file` lies; absolute paths stay. The caller frees. */
char *conf_resolve_path(const char *file, const char *path);

/* Can nobody but those who are trusted (program/trust.h) make files in this directory, or put
 * another one in its place? It may be missing: it is made by whoever needs it. 0, or -errno with an
 * error that says the mode, the owner and what to run; `what` is "persistence.directory". */
int conf_check_directory(const char *path, const char *what, struct errors *errors);

#endif
