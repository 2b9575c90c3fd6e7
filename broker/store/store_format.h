/* The formats of a store: a number in TABLE_META, and for each the tables that it has and the
 * upgrade from the format before.  Thread: as store.h says. */
#ifndef STORE_STORE_FORMAT_H
#define STORE_STORE_FORMAT_H

#include "store/store.h"

/* The newest: what this version writes. */
enum {
#define FORMAT(number, last, upgrade) STORE_FORMAT_##number = (number),
#include "store/store_tables.def"
	STORE_FORMATS_END,
};
#define STORE_FORMAT ((uint32_t)STORE_FORMATS_END - 1)

/* From the format before to this one, within the transaction of the whole upgrade; the tables of
 * the newest format exist already.  A failure (store_fail) takes back everything. */
typedef void store_upgrade_fn(struct store *store);

struct store_format {
	unsigned tables;           /* those with a number below it */
	store_upgrade_fn *upgrade; /* NULL: the first format */
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
/* After opening: upgrade to the newest format, in one transaction, or write it into an empty store;
 * and read the time of the last commit. */
int store_format_settle(struct store *store, const struct store_formats *formats,
                        char text[STORE_ERROR_TEXT]);
/* Say that this version cannot read that format. -EPROTONOSUPPORT. */
int store_format_refuse(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT]);

/* The same for a store that is only read: its format, and the time of its last commit. 0 or -errno.
 */
int store_format_peek(struct store *store, uint32_t *format);
/* A copy counts its transactions from the beginning: write the commit row again. 0 or -errno. */
int store_format_renumber(struct store *store);

#endif
