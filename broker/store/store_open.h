/* Opening a store.  Thread: any; the store belongs to the caller's. */
#ifndef STORE_STORE_OPEN_H
#define STORE_STORE_OPEN_H

#include "store/store_format.h"

struct store_options {
	const char *directory; /* made with mode 0700 where it is missing */
	uint64_t max_bytes;    /* limit of the file; 0: none but the machine's */
	uint32_t first_map;    /* bytes of the first map, 0: the default (tests make it small) */
	/* NULL: those that this version knows. */
	const struct store_formats *formats;
};

/* Lock the directory, verify the file that is there (store_verify.h), open it.  0 or -errno; *text
 * says what is wrong and what to do: in use by process N, damaged, no store, of a newer format, not
 * writable.  Nothing is ever emptied or repaired.  A store of an older format is upgraded, in one
 * transaction: if that fails, the store is unchanged. */
int store_open(const struct store_options *options, char text[STORE_ERROR_TEXT],
               struct store **out);
/* What that would refuse, by the same code, without making, locking or upgrading anything. -EBUSY:
 * a broker has it, and nothing was read. */
int store_open_check(const struct store_options *options, char text[STORE_ERROR_TEXT]);

#endif
