/* A store is verified by the tables of its own format.  An older one is upgraded at the start,
 * through all the formats between, in one transaction: an error, a full disk or a crash at any
 * point leaves the store in its old format, and the next start tries again.  A newer one is
 * refused.
 *
 * A change of what is on disk is a new format: give it a row in store_tables.def, and where more
 * than tables is new write its function here, which converts the rows of the format before.  A new
 * table exists, empty, when the upgrade begins; a table that is no longer used stays in the list
 * and is emptied. */
#include "store/store_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/require.h"
#include "store/store_backend.h"

/* For a format whose only news are tables: they exist already. */
static void add_tables(struct store *store)
{
	(void)store;
}

static const struct store_format list[] = {
#define FORMAT(number, last, function)                                                             \
	[(number)-1] = {.tables = TABLE_##last + 1, .upgrade = (function)},
#include "store/store_tables.def"
};
_Static_assert(ARRAY_LEN(list) == STORE_FORMAT, "the formats are numbered from 1 on");
/* The last row decides: an enumerator without a value is one more than the one before it. */
enum {
#define FORMAT(number, last, function) LAST_TABLE_OF_##number = TABLE_##last,
#include "store/store_tables.def"
	TABLES_OF_NEWEST,
};
_Static_assert(TABLES_OF_NEWEST == (int)TABLES, "a new table makes a new format");

static const char *const table_names[TABLES] = {
#define TABLE(id, name, ...) [TABLE_##id] = (name),
#include "store/store_tables.def"
};

const struct store_formats store_formats = {
    .list = list, .newest = STORE_FORMAT, .table_names = table_names};

unsigned store_format_tables(const struct store_formats *formats, uint32_t format)
{
	return format == 0 || format > formats->newest ? 0 : formats->list[format - 1].tables;
}

static void put_format(struct store *store, uint32_t format)
{
	uint8_t bytes[4] = {(uint8_t)(format >> 24), (uint8_t)(format >> 16),
	                    (uint8_t)(format >> 8), (uint8_t)format};

	store_put(store, TABLE_META, STORE_ROW_FORMAT, slice_of(bytes, sizeof(bytes)));
}

/* 0: there is none. */
static uint32_t get_format(struct store *store)
{
	struct slice value;
	struct reader r;
	uint32_t format;

	if (!store_get(store, TABLE_META, STORE_ROW_FORMAT, &value))
		return 0;
	r = reader_of(value);
	format = read_u32(&r);
	return store_expect(store, format != 0 && !r.bad) ? format : 0;
}

/* What is saved beside the tables may be later. */
static void get_time(struct store *store)
{
	struct store_time time;
	struct slice value;
	uint64_t number;

	if (store_get(store, TABLE_META, STORE_ROW_COMMIT, &value) &&
	    store_expect(store, store_backend_read_commit(value, &number, &time)) &&
	    time.time_ms > store->time.time_ms)
		store->time = time;
}

/* From `format` to the newest, step by step; an empty store has nothing to upgrade. */
static void upgrade(struct store *store, const struct store_formats *f, uint32_t format)
{
	REQUIRE(format < f->newest);
	/* mutant: store_upgrade_steps */
	store_make_tables(store, store_format_tables(f, f->newest));
	for (uint32_t n = format; format > 0 && n < f->newest; n++) {
		/* mutant: store_upgrade_missing_step */
		if (f->list[n].upgrade == NULL)
			store_fail(store, -ENOTSUP);
		else
			f->list[n].upgrade(store);
	}
	/* mutant: store_format_number */
	put_format(store, f->newest);
}

/* One transaction: all of it, or nothing where the format is the newest. */
static int settle(struct store *store, const struct store_formats *formats, uint32_t *format)
{
	store_begin(store);
	*format = get_format(store);
	get_time(store);
	if (*format > formats->newest)
		store_fail(store, -EPROTONOSUPPORT);
	else if (*format < formats->newest)
		upgrade(store, formats, *format);
	return store_commit(store);
}

int store_format_refuse(uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT])
{
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "the store is of format %" PRIu32
	               ", and this version of the broker knows formats up to %" PRIu32
	               ": install the version that wrote it, or a later one, or restore a backup "
	               "that was made before it was upgraded; nothing was changed",
	               format, newest);
	return -EPROTONOSUPPORT;
}

static const char *remedy_of(int rc)
{
	if (rc == -ENOSPC || rc == -EDQUOT)
		return "free some space on its file system, or raise persistence.max_size, and "
		       "start again";
	if (rc == -ENOTSUP)
		return "this version of the broker does not have that step: install another one";
	return "check the disk, and start again; the version that wrote it can still read it";
}

static int explain_upgrade(int rc, uint32_t format, uint32_t newest, char text[STORE_ERROR_TEXT])
{
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "the store is of format %" PRIu32 " and could not be upgraded to %" PRIu32
	               " (%s): %s; nothing was changed",
	               format, newest, strerror(-rc), remedy_of(rc));
	return rc;
}

int store_format_settle(struct store *store, const struct store_formats *formats,
                        char text[STORE_ERROR_TEXT])
{
	uint32_t format = 0, newest = formats->newest;
	int rc;

	do
		rc = settle(store, formats, &format);
	while (rc == -EAGAIN);
	if (rc == -EPROTONOSUPPORT)
		return store_format_refuse(format, newest, text);
	if (rc != 0 && format > 0)
		return explain_upgrade(rc, format, newest, text);
	if (rc != 0)
		(void)snprintf(text, STORE_ERROR_TEXT,
		               "the store's format cannot be read or written (%s): %s",
		               strerror(-rc), remedy_of(rc));
	else if (format < newest)
		store->upgraded_from = format;
	return rc;
}

int store_format_peek(struct store *store, uint32_t *format)
{
	store_begin(store);
	*format = get_format(store);
	get_time(store);
	return store_commit(store);
}

int store_format_renumber(struct store *store)
{
	int rc;

	do {
		store_begin(store);
		get_time(store);
		put_format(store, get_format(store)); /* the same value: something must change */
		rc = store_commit(store);
	} while (rc == -EAGAIN);
	return rc;
}
