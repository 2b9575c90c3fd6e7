/* The format of the rows: a number in TABLE_META.  An older store is brought up step by step, each
 * a transaction; a newer one is refused.  A format that changes gets a row in `upgrades`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/disk_inside.h"

static disk_upgrade_fn *const upgrades[] = {NULL}; /* [0]: from 1 to 2, and so on */

static int put_format(struct disk *d, uint32_t format)
{
	uint8_t bytes[4] = {(uint8_t)(format >> 24), (uint8_t)(format >> 16),
	                    (uint8_t)(format >> 8), (uint8_t)format};

	return disk_put(d, TABLE_META, DISK_ROW_FORMAT, slice_of(bytes, sizeof(bytes)));
}

/* 0: there is none. */
static int get_format(struct disk *d, uint32_t *format)
{
	struct slice value = SLICE_EMPTY;
	int rc = disk_get(d, TABLE_META, DISK_ROW_FORMAT, &value);
	struct reader r = reader_of(value);

	*format = 0;
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	*format = read_u32(&r);
	return *format == 0 || r.bad ? -EBADMSG : 0;
}

static int get_time(struct disk *d)
{
	struct slice value = SLICE_EMPTY;
	int rc = disk_get(d, TABLE_META, DISK_ROW_COMMIT, &value);
	struct reader r = reader_of(value);
	uint64_t time_ms;

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	(void)read_u64(&r);
	time_ms = read_u64(&r);
	if (time_ms > d->time_ms)
		d->time_ms = time_ms;
	return r.bad ? -EBADMSG : 0;
}

/* One transaction: a step, or nothing where the format is the one wanted. */
static int step(struct disk *d, disk_upgrade_fn *const *table, uint32_t wanted, uint32_t *format)
{
	int rc = disk_begin(d);

	if (rc == 0)
		rc = get_format(d, format);
	if (rc == 0)
		rc = get_time(d);
	if (rc == 0 && *format > wanted)
		rc = -EPROTONOSUPPORT;
	if (rc == 0 && *format > 0 && *format < wanted)
		rc = table[*format - 1](d);
	if (rc == 0 && *format != wanted) {
		*format = *format == 0 ? wanted : *format + 1;
		rc = put_format(d, *format);
	}
	return rc == 0 ? disk_commit(d) : rc;
}

int disk_format_refuse(uint32_t format, uint32_t wanted, char text[DISK_ERROR_TEXT])
{
	(void)snprintf(text, DISK_ERROR_TEXT,
	               "the store is of format %" PRIu32 ", this version reads up to %" PRIu32
	               "; install the version of the broker that wrote it, or a later one",
	               format, wanted);
	return -EPROTONOSUPPORT;
}

int disk_format_settle(struct disk *d, disk_upgrade_fn *const *table, uint32_t wanted,
                       char text[DISK_ERROR_TEXT])
{
	uint32_t format = 0;
	int rc;

	do
		rc = step(d, table, wanted, &format);
	while (rc == -EAGAIN || (rc == 0 && format != wanted));
	disk_abort(d);
	if (rc == -EPROTONOSUPPORT)
		return disk_format_refuse(format, wanted, text);
	if (rc != 0)
		(void)snprintf(text, DISK_ERROR_TEXT,
		               "the store's format cannot be read or brought up to date (error %d)",
		               -rc);
	return rc;
}

int disk_format_peek(struct disk *d, uint32_t *format)
{
	int rc = disk_begin(d);

	if (rc == 0)
		rc = get_format(d, format);
	if (rc == 0)
		rc = get_time(d);
	disk_abort(d);
	return rc;
}

int disk_restamp(struct disk *d)
{
	int rc;

	do {
		rc = disk_begin(d);
		if (rc == 0)
			rc = get_time(d);
		if (rc == 0) {
			d->changed = true;
			rc = disk_commit(d);
		}
		disk_abort(d);
	} while (rc == -EAGAIN);
	return rc;
}

int disk_settle(struct disk *d, char text[DISK_ERROR_TEXT])
{
	_Static_assert(sizeof(upgrades) / sizeof(upgrades[0]) >= DISK_FORMAT - 1,
	               "a way from each format to the next");
	return disk_format_settle(d, upgrades, DISK_FORMAT, text);
}
