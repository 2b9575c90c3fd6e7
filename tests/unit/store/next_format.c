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

static int put_rows(struct disk *d, struct slice keys)
{
	struct reader r = reader_of(keys);
	unsigned count = 0;
	int rc = 0;

	while (rc == 0 && reader_left(&r) > 0) {
		size_t len = read_u16(&r);

		rc = count++ == stop_after
		         ? stop()
		         : disk_put(d, TABLE_NEXT, read_bytes(&r, len), SLICE("of a session"));
	}
	return rc;
}

static int upgrade_to_next(struct disk *d)
{
	struct buf keys = {0};
	int rc = disk_scan(d, TABLE_SESSION, SLICE_EMPTY, collect, &keys);

	if (rc == 0)
		rc = put_rows(d, buf_slice(&keys));
	buf_fini(&keys);
	return rc;
}

const struct disk_formats *next_formats(void)
{
	static struct disk_format list[DISK_FORMAT + 1];
	static const char *names[TABLES + 1];
	static const struct disk_formats formats = {
	    .list = list, .newest = DISK_FORMAT + 1, .table_names = names};

	memcpy(list, disk_formats.list, DISK_FORMAT * sizeof(list[0]));
	list[DISK_FORMAT] = (struct disk_format){.tables = TABLES + 1, .upgrade = upgrade_to_next};
	memcpy(names, disk_formats.table_names, TABLES * sizeof(names[0]));
	names[TABLE_NEXT] = "next";
	return &formats;
}
