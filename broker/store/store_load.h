/* A dump: all rows of a store as lines of JSON, which a machine with another byte order, word
 * length or version of LMDB makes a store of again.  Thread: any; these block. */
#ifndef STORE_STORE_LOAD_H
#define STORE_STORE_LOAD_H

#include <stdio.h>

#include "store/store_format.h"

/* The first and the last line.  `rows`: how many stand between them. */
void store_load_put_head(struct buf *out, uint32_t format);
void store_load_put_end(struct buf *out, uint64_t rows);

struct store_load {
	FILE *from;
	const char *name;    /* of it, for messages */
	uint64_t size_bytes; /* 0: not known */
};

/* Make the file `to`, which does not exist, of a whole dump of this format or an older one.  0 or
 * -errno: *text says which line is wrong, and `to` means nothing. */
int store_load_into(const struct store_load *load, const char *to, char text[STORE_ERROR_TEXT]);

#endif
