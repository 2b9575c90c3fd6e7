/* The rules of disk.h that hold whatever keeps the rows: each row is sealed, an error ends the
 * transaction, and a disk that failed is left alone. */
#include "store/store.h"

#include <errno.h>

#include "base/clock.h"
#include "base/require.h"
#include "store/store_backend.h"

/* ---- transactions ---- */

static bool is_table(const struct store *d, enum store_table table)
{
	return (unsigned)table < d->table_count;
}

static bool passes(int rc)
{
	return rc == -EAGAIN || rc == -ENOSPC || rc == -EDQUOT || rc == -EBADMSG;
}

/* The transaction goes on after success and where a row is not there, and ends otherwise. */
static int outcome(struct store *d, int rc)
{
	if (rc == 0 || rc == -ENOENT)
		return rc;
	store_abort(d);
	if (!passes(rc))
		d->failed = true;
	return rc;
}

int store_begin(struct store *d)
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

int store_put(struct store *d, enum store_table table, struct slice key, struct slice value)
{
	REQUIRE(d->open && is_table(d, table) && key.len > 0 && key.len <= STORE_KEY_MAX);
	REQUIRE(table != TABLE_META || key.data[0] != STORE_TABLE_MARK);
	d->changed = true;
	return outcome(
	    d, d->ops->put(d, table, key, value, store_backend_checksum(table, key, value)));
}

int store_get(struct store *d, enum store_table table, struct slice key, struct slice *value)
{
	struct slice row;
	int rc;

	REQUIRE(d->open && is_table(d, table) && key.len > 0);
	rc = d->ops->get(d, table, key, &row);
	if (rc == 0 && !store_backend_checksum_verify(table, key, row, value))
		rc = -EBADMSG;
	return outcome(d, rc);
}

int store_delete(struct store *d, enum store_table table, struct slice key)
{
	int rc;

	REQUIRE(d->open && is_table(d, table) && key.len > 0);
	rc = d->ops->remove(d, table, key);
	if (rc == 0)
		d->changed = true;
	return outcome(d, rc);
}

int store_make_tables(struct store *d, unsigned count)
{
	REQUIRE(d->open && count <= d->table_count);
	return d->ops->make_tables == NULL ? 0 : outcome(d, d->ops->make_tables(d, count));
}

struct scan {
	enum store_table table;
	store_visit_fn *visit;
	void *arg;
	bool broken;
};

static bool scan_row(void *arg, struct slice key, struct slice row)
{
	struct scan *s = arg;
	struct slice value;

	if (!store_backend_checksum_verify(s->table, key, row, &value)) {
		s->broken = true;
		return false;
	}
	return s->visit(s->arg, key, value);
}

int store_scan(struct store *d, enum store_table table, struct slice from, store_visit_fn *visit,
               void *arg)
{
	struct scan s = {.table = table, .visit = visit, .arg = arg};
	int rc;

	REQUIRE(d->open && is_table(d, table));
	rc = d->ops->scan(d, table, from, scan_row, &s);
	return outcome(d, s.broken ? -EBADMSG : rc);
}

static void learn_time(struct store *d, uint64_t time_ms)
{
	if (time_ms > d->time_ms)
		d->time_ms = time_ms;
}

void store_timestamp(struct store *d, uint64_t time_ms)
{
	REQUIRE(d->open);
	learn_time(d, time_ms);
}

static int put_commit_row(struct store *d)
{
	int64_t wall_ms = clock_wall_ms();
	struct buf row = {0};
	int rc;

	if (wall_ms > 0)
		learn_time(d, (uint64_t)wall_ms);
	buf_put_u64(&row, d->ops->number(d));
	buf_put_u64(&row, d->time_ms);
	rc = store_put(d, TABLE_META, STORE_ROW_COMMIT, buf_slice(&row));
	buf_fini(&row);
	return rc;
}

int store_commit(struct store *d)
{
	int rc;

	REQUIRE(d->open);
	if (!d->changed) {
		store_abort(d);
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

void store_abort(struct store *d)
{
	if (d->open)
		d->ops->abort(d);
	d->open = false;
}

bool store_is_failed(const struct store *d)
{
	return d->failed;
}

uint32_t store_upgraded_from(const struct store *d)
{
	return d->upgraded_from;
}

/* ---- beside them ---- */

void store_status(struct store *d, struct store_status *out)
{
	REQUIRE(!d->open);
	*out = (struct store_status){0};
	d->ops->status(d, out);
}

static uint64_t reserve_of(uint64_t max_bytes)
{
	return max_bytes / 8 < STORE_RESERVE ? max_bytes / 8 : STORE_RESERVE;
}

uint64_t store_space(struct store *d, const struct store_status *status, enum store_bound *bound)
{
	uint64_t reserve = reserve_of(status->max_bytes);
	uint64_t most = status->max_bytes - reserve;

	REQUIRE(!d->open);
	*bound = STORE_BOUND_NONE;
	if (status->max_bytes == 0)
		return UINT64_MAX;
	*bound = STORE_BOUND_FILE_SYSTEM;
	if (d->ops->reserve != NULL && !d->ops->reserve(d, status, reserve))
		return 0;
	*bound = STORE_BOUND_SIZE;
	return status->used_bytes < most ? most - status->used_bytes : 0;
}

uint64_t store_time_ms(const struct store *d)
{
	return d->time_ms;
}

void store_note_time(struct store *d, uint64_t wall_ms)
{
	REQUIRE(!d->open);
	learn_time(d, wall_ms);
	d->ops->note(d, d->time_ms);
}

void store_release(struct store *d)
{
	REQUIRE(!d->open);
	if (d->ops->release != NULL)
		d->ops->release(d);
}

void store_close(struct store *d)
{
	if (d == NULL)
		return;
	store_abort(d);
	d->ops->close(d);
}
