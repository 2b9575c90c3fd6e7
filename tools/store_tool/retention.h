/* Backups in a directory, by their names, and which of them are too many.  Thread: main. */
#ifndef STORE_TOOL_RETENTION_H
#define STORE_TOOL_RETENTION_H

#include <stdint.h>

struct retention {
	uint32_t count; /* so many of the newest stay; 0: not said */
	uint32_t days;  /* those that are not older stay; 0: not said */
};

/* Make a backup of the store `path` in `directory`, under the name of this moment, and remove those
 * of the other backups there that neither count nor days keep.  Only when the new one is verified
 * and on disk, is anything removed.  An exit status; what was made is printed. */
int retention_backup(const char *path, const char *directory, const struct retention *r);

#endif
