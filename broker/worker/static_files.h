/* The files of a folder that a listener serves: read whole when the configuration is loaded, and
 * found by name, so that no request ever reaches the file system.  Immutable.  Thread: any; loaded
 * on main. */
#ifndef WORKER_STATIC_FILES_H
#define WORKER_STATIC_FILES_H

#include "base/bytes.h"
#include "conf/errors.h"

#define STATIC_FILES_MAX     256
#define STATIC_FILE_BYTES    ((size_t)4 << 20)
#define STATIC_FILE_TAG_SIZE 20

struct static_file {
	char *name;
	const char *content_type;
	struct buf bytes, gzip; /* gzip.len 0: there is no NAME.gz */
	/* With its quotes; that of the compressed bytes is another one (RFC 9110 8.8.3). */
	char tag[STATIC_FILE_TAG_SIZE], gzip_tag[STATIC_FILE_TAG_SIZE];
	bool immutable; /* the name has a hash of the bytes: NAME-0123456789.js */
};

struct static_files {
	struct static_file *items;
	size_t count, cap;
};

/* The folder, and not what is below it: names of letters, digits and - . _, that do not begin with
 * a dot; others, and types that are not known, are left out. NULL with an error: it cannot be read,
 * somebody else can change a file, or there is no index.html. The caller frees. */
struct static_files *static_files_load(const char *directory, struct errors *errors);
/* NULL is fine. */
void static_files_free(struct static_files *files);
/* NULL: there is no such name. */
const struct static_file *static_files_find(const struct static_files *files, struct slice name);

#endif
