/* See next_format.h. */
#include "next_format.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

static unsigned stop_after = UINT_MAX;
static int stop_error;

void next_format_stop(unsigned rows, int error)
{
	stop_after = rows;
	stop_error = error;
}

static bool collect(void *arg, struct slice key, struct slice value)
{
	struct buf *keys = arg;

	(void)value;
	buf_put_u16(keys, (uint16_t)key.len);
	buf_put_slice(keys, key);
	return true;
}

static int stop(void)
{
	if (stop_error == 0)
		(void)raise(SIGKILL);
	return stop_error;
}

static void put_rows(struct store *d, struct slice keys)
{
	struct reader r = reader_of(keys);
	unsigned count = 0;

	while (store_error(d) == 0 && reader_left(&r) > 0) {
		size_t len = read_u16(&r);

		if (count++ == stop_after)
			store_fail(d, stop());
		else
			store_put(d, TABLE_NEXT, read_bytes(&r, len), SLICE("of a session"));
	}
}

static void upgrade_to_next(struct store *d)
{
	struct buf keys = {0};

	store_scan(d, TABLE_SESSION, SLICE_EMPTY, collect, &keys);
	put_rows(d, buf_slice(&keys));
	buf_fini(&keys);
}

const struct store_formats *next_formats(void)
{
	static struct store_format list[STORE_FORMAT + 1];
	static const char *names[TABLES + 1];
	static const struct store_formats formats = {
	    .list = list, .newest = STORE_FORMAT + 1, .table_names = names};

	memcpy(list, store_formats.list, STORE_FORMAT * sizeof(list[0]));
	list[STORE_FORMAT] =
	    (struct store_format){.tables = TABLES + 1, .upgrade = upgrade_to_next};
	memcpy(names, store_formats.table_names, TABLES * sizeof(names[0]));
	names[TABLE_NEXT] = "next";
	return &formats;
}
