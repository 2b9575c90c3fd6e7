/* The rules of disk.h that hold whatever keeps the rows: each row is sealed, an error ends the
 * transaction, and a disk that failed is left alone. */
#include "store/disk.h"

#include <errno.h>
#include <xxhash.h>

#include "base/check.h"
#include "base/clock.h"
#include "store/disk_inside.h"

/* ---- checksums ---- */

uint64_t disk_checksum_seed(enum disk_table table, struct slice key)
{
	return XXH3_64bits_withSeed(key.data, key.len, (uint64_t)table);
}

uint64_t disk_checksum(enum disk_table table, struct slice key, struct slice value)
{
	return XXH3_64bits_withSeed(value.data, value.len, disk_checksum_seed(table, key));
}

bool disk_verify_checksum(enum disk_table table, struct slice key, struct slice row,
                          struct slice *value)
{
	struct reader r;

	if (row.len < DISK_CHECKSUM_BYTES)
		return false;
	*value = slice_of(row.data, row.len - DISK_CHECKSUM_BYTES);
	r = reader_of(slice_skip(row, value->len));
	return read_u64(&r) == disk_checksum(table, key, *value);
}

/* ---- transactions ---- */

static bool is_table(const struct disk *d, enum disk_table table)
{
	return (unsigned)table < disk_format_tables(d->formats, d->formats->newest);
}

static bool passes(int rc)
{
	return rc == -EAGAIN || rc == -ENOSPC || rc == -EDQUOT || rc == -EBADMSG;
}

/* The transaction goes on after success and where a row is not there, and ends otherwise. */
static int outcome(struct disk *d, int rc)
{
	if (rc == 0 || rc == -ENOENT)
		return rc;
	disk_abort(d);
	if (!passes(rc))
		d->failed = true;
	return rc;
}

int disk_begin(struct disk *d)
{
	int rc;

	REQUIRE(!d->open);
	if (d->failed)
		return -EIO;
	rc = d->ops->begin(d);
	d->open = rc == 0;
	d->changed = false;
	if (rc != 0 && !passes(rc))
		d->failed = true;
	return rc;
}

int disk_put(struct disk *d, enum disk_table table, struct slice key, struct slice value)
{
	REQUIRE(d->open && is_table(d, table) && key.len > 0 && key.len <= DISK_KEY_MAX);
	REQUIRE(table != TABLE_META || key.data[0] != DISK_TABLE_MARK);
	d->changed = true;
	return outcome(d, d->ops->put(d, table, key, value, disk_checksum(table, key, value)));
}

int disk_get(struct disk *d, enum disk_table table, struct slice key, struct slice *value)
{
	struct slice row;
	int rc;

	REQUIRE(d->open && is_table(d, table) && key.len > 0);
	rc = d->ops->get(d, table, key, &row);
	if (rc == 0 && !disk_verify_checksum(table, key, row, value))
		rc = -EBADMSG;
	return outcome(d, rc);
}

int disk_delete(struct disk *d, enum disk_table table, struct slice key)
{
	int rc;

	REQUIRE(d->open && is_table(d, table) && key.len > 0);
	rc = d->ops->remove(d, table, key);
	if (rc == 0)
		d->changed = true;
	return outcome(d, rc);
}

struct scan {
	enum disk_table table;
	disk_visit_fn *visit;
	void *arg;
	bool broken;
};

static bool scan_row(void *arg, struct slice key, struct slice row)
{
	struct scan *s = arg;
	struct slice value;

	if (!disk_verify_checksum(s->table, key, row, &value)) {
		s->broken = true;
		return false;
	}
	return s->visit(s->arg, key, value);
}

int disk_scan(struct disk *d, enum disk_table table, struct slice from, disk_visit_fn *visit,
              void *arg)
{
	struct scan s = {.table = table, .visit = visit, .arg = arg};
	int rc;

	REQUIRE(d->open && is_table(d, table));
	rc = d->ops->scan(d, table, from, scan_row, &s);
	return outcome(d, s.broken ? -EBADMSG : rc);
}

static void learn_time(struct disk *d, uint64_t time_ms)
{
	if (time_ms > d->time_ms)
		d->time_ms = time_ms;
}

void disk_timestamp(struct disk *d, uint64_t time_ms)
{
	REQUIRE(d->open);
	learn_time(d, time_ms);
}

static int put_commit_row(struct disk *d)
{
	int64_t wall_ms = clock_wall_ms();
	struct buf row = {0};
	int rc;

	if (wall_ms > 0)
		learn_time(d, (uint64_t)wall_ms);
	buf_put_u64(&row, d->ops->number(d));
	buf_put_u64(&row, d->time_ms);
	rc = disk_put(d, TABLE_META, DISK_ROW_COMMIT, buf_slice(&row));
	buf_fini(&row);
	return rc;
}

int disk_commit(struct disk *d)
{
	int rc;

	REQUIRE(d->open);
	if (!d->changed) {
		disk_abort(d);
		return 0;
	}
	rc = put_commit_row(d);
	if (rc != 0)
		return rc;
	rc = d->ops->commit(d);
	d->open = false;
	if (rc == 0)
		d->ops->note(d, d->time_ms);
	return outcome(d, rc);
}

void disk_abort(struct disk *d)
{
	if (d->open)
		d->ops->abort(d);
	d->open = false;
}

bool disk_is_failed(const struct disk *d)
{
	return d->failed;
}

uint32_t disk_upgraded_from(const struct disk *d)
{
	return d->upgraded_from;
}

/* ---- beside them ---- */

void disk_status(struct disk *d, struct disk_status *out)
{
	REQUIRE(!d->open);
	*out = (struct disk_status){0};
	d->ops->status(d, out);
}

static uint64_t reserve_of(uint64_t max_bytes)
{
	return max_bytes / 8 < DISK_RESERVE ? max_bytes / 8 : DISK_RESERVE;
}

uint64_t disk_space(struct disk *d, const struct disk_status *status, enum disk_bound *bound)
{
	uint64_t reserve = reserve_of(status->max_bytes);
	uint64_t most = status->max_bytes - reserve;

	REQUIRE(!d->open);
	*bound = DISK_BOUND_NONE;
	if (status->max_bytes == 0)
		return UINT64_MAX;
	*bound = DISK_BOUND_FILE_SYSTEM;
	if (d->ops->reserve != NULL && !d->ops->reserve(d, status, reserve))
		return 0;
	*bound = DISK_BOUND_SIZE;
	return status->used_bytes < most ? most - status->used_bytes : 0;
}

uint64_t disk_time_ms(const struct disk *d)
{
	return d->time_ms;
}

void disk_note_time(struct disk *d, uint64_t wall_ms)
{
	REQUIRE(!d->open);
	learn_time(d, wall_ms);
	d->ops->note(d, d->time_ms);
}

void disk_release(struct disk *d)
{
	REQUIRE(!d->open);
	if (d->ops->release != NULL)
		d->ops->release(d);
}

void disk_close(struct disk *d)
{
	if (d == NULL)
		return;
	disk_abort(d);
	d->ops->close(d);
}
