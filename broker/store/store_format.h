/* The formats of a store: a number in TABLE_META, and for each the tables that it has and the way
 * from the one before.  Thread: as store.h says. */
#ifndef STORE_STORE_FORMAT_H
#define STORE_STORE_FORMAT_H

#include "store/store.h"

#define STORE_FORMAT 1

/* From the format before to this one, within the transaction of the whole upgrade; the tables of
 * the newest format are there.  Where it fails (store_fail), everything is taken back. */
typedef void store_upgrade_fn(struct store *store);

struct store_format {
	unsigned tables;           /* it has those with a number below it */
	store_upgrade_fn *upgrade; /* NULL: it is the first */
};

struct store_formats {
	const struct store_format *list; /* [n - 1]: format n */
	uint32_t newest;
	const char *const *table_names; /* of the newest */
};
/* What this version of the broker knows. */
extern const struct store_formats store_formats;

/* How many tables that format has; 0: there is no such format, or it is not known. */
unsigned store_format_tables(const struct store_formats *formats, uint32_t format);
/* After opening: the format is the newest, or is made so, or is written into an empty store; the
 * time is known.  All of an upgrade is one transaction. */
int store_format_settle(struct store *store, const struct store_formats *formats,
                        char text[STORE_ERROR_TEXT]);
/* Say that this version cannot read that format. -EPROTONOSUPPORT. */
int store_format_refuse(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT]);

/* Of one that is only read: its format, and store knows the time of its last commit. 0 or -errno.
 */
int store_format_peek(struct store *store, uint32_t *format);
/* A copy begins to count its transactions anew: let the commit row say so. 0 or -errno. */
int store_format_restamp(struct store *store);

#endif
