/* Opening a store.  Thread: any one; the store belongs to the caller's. */
#ifndef STORE_STORE_OPEN_H
#define STORE_STORE_OPEN_H

#include "store/store_format.h"

struct store_options {
	const char *directory; /* made with mode 0700 where it is missing */
	uint64_t max_bytes;    /* how far the file may grow; 0: as far as the machine lets it */
	uint32_t first_map;    /* bytes of the first map, 0: the default (tests make it small) */
	/* NULL: those that this version knows (a test knows one more). */
	const struct store_formats *formats;
};

/* Lock the directory, verify the file that is there (store_verify.h), open it.  0 or -errno; *text
 * says what is wrong and what to do: in use by process N, damaged, not ours, of a later version,
 * not writable. Nothing is ever emptied or repaired silently.  A store of an older format is
 * upgraded, in one transaction: where that fails, it is what it was. */
int store_open(const struct store_options *options, char text[STORE_ERROR_TEXT],
               struct store **out);

#endif
