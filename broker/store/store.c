/* The rules of store.h that hold for every backend: each row has a checksum, the first error of a
 * transaction sticks, and a disk that failed is left alone. */
#include "store/store.h"

#include "base/clock.h"
#include "base/require.h"
#include "store/store_backend.h"

/* ---- transactions ---- */

static bool is_table(const struct store *store, enum store_table table)
{
	return (unsigned)table < store->table_count;
}

static bool is_key(struct slice key)
{
	return key.len > 0 && key.len <= STORE_KEY_MAX;
}

void store_fail(struct store *store, int error)
{
	REQUIRE(store->open && error < 0);
	if (store->error == 0)
		store->error = error;
}

int store_error(const struct store *store)
{
	return store->error;
}

/* What the backend returned. */
static bool has_succeeded(struct store *store, int rc)
{
	if (rc == 0 || rc == -ENOENT)
		return rc == 0;
	if (store->error == 0)
		store->error = rc;
	if (rc != -EAGAIN && rc != -ENOSPC && rc != -EDQUOT && rc != -EBADMSG)
		store->failed = true;
	return false;
}

void store_begin(struct store *store)
{
	REQUIRE(!store->open);
	store->open = true;
	store->changed = false;
	store->error = store->failed ? -EIO : 0;
	if (store->error == 0)
		(void)has_succeeded(store, store->ops->begin(store));
}

void store_put(struct store *store, enum store_table table, struct slice key, struct slice value)
{
	uint64_t checksum;

	REQUIRE(store->open && is_table(store, table) && is_key(key));
	REQUIRE(table != TABLE_META || key.data[0] != STORE_TABLE_MARK);
	if (store->error != 0)
		return;
	store->changed = true;
	checksum = store_backend_checksum(table, key, value);
	(void)has_succeeded(store, store->ops->put(store, table, key, value, checksum));
}

bool store_get(struct store *store, enum store_table table, struct slice key, struct slice *value)
{
	struct slice row;

	REQUIRE(store->open && is_table(store, table) && is_key(key));
	return store->error == 0 &&
	       has_succeeded(store, store->ops->get(store, table, key, &row)) &&
	       store_expect(store, store_backend_checksum_verify(table, key, row, value));
}

bool store_delete(struct store *store, enum store_table table, struct slice key)
{
	REQUIRE(store->open && is_table(store, table) && is_key(key));
	if (store->error != 0 || !has_succeeded(store, store->ops->remove(store, table, key)))
		return false;
	store->changed = true;
	return true;
}

void store_make_tables(struct store *store, unsigned count)
{
	REQUIRE(store->open && count <= store->table_count);
	if (store->error == 0 && store->ops->make_tables != NULL)
		(void)has_succeeded(store, store->ops->make_tables(store, count));
}

struct scan {
	struct store *store;
	enum store_table table;
	store_visit_fn *visit;
	void *arg;
};

static bool scan_row(void *arg, struct slice key, struct slice row)
{
	const struct scan *scan = arg;
	struct slice value;

	return store_expect(scan->store,
	                    store_backend_checksum_verify(scan->table, key, row, &value)) &&
	       scan->visit(scan->arg, key, value);
}

void store_scan(struct store *store, enum store_table table, struct slice from,
                store_visit_fn *visit, void *arg)
{
	struct scan scan = {.store = store, .table = table, .visit = visit, .arg = arg};

	REQUIRE(store->open && is_table(store, table));
	if (store->error == 0)
		(void)has_succeeded(store, store->ops->scan(store, table, from, scan_row, &scan));
}

bool store_has_changes(const struct store *store)
{
	return store->changed;
}

/* Of a later time, or of the same one anew. */
static void learn_time(struct store *store, uint64_t time_ms)
{
	if (time_ms >= store->time.time_ms)
		store->time = (struct store_time){.time_ms = time_ms, .wall_ms = clock_wall_ms()};
}

void store_timestamp(struct store *store, uint64_t time_ms)
{
	REQUIRE(store->open);
	learn_time(store, time_ms);
}

static void put_commit_row(struct store *store)
{
	struct buf row = {0};

	store_backend_put_commit(&row, store->ops->number(store), store->time);
	store_put(store, TABLE_META, STORE_ROW_COMMIT, buf_slice(&row));
	buf_fini(&row);
}

int store_commit(struct store *store)
{
	REQUIRE(store->open);
	if (store->error == 0 && store->changed)
		put_commit_row(store);
	if (store->error != 0 || !store->changed) {
		store_abort(store);
		return store->error;
	}
	store->open = false;
	if (has_succeeded(store, store->ops->commit(store)))
		store->ops->save_time(store, store->time);
	return store->error;
}

void store_abort(struct store *store)
{
	if (store->open)
		store->ops->abort(store);
	store->open = false;
}

bool store_is_failed(const struct store *store)
{
	return store->failed;
}

uint32_t store_upgraded_from(const struct store *store)
{
	return store->upgraded_from;
}

/* ---- outside of a transaction ---- */

void store_status(struct store *store, struct store_status *out)
{
	REQUIRE(!store->open);
	*out = (struct store_status){0};
	store->ops->status(store, out);
}

uint64_t store_space(struct store *store, const struct store_status *status,
                     enum store_bound *bound)
{
	uint64_t reserve =
	    status->max_bytes / 8 < STORE_RESERVE ? status->max_bytes / 8 : STORE_RESERVE;
	uint64_t most = status->max_bytes - reserve;

	REQUIRE(!store->open);
	*bound = STORE_BOUND_NONE;
	if (status->max_bytes == 0)
		return UINT64_MAX;
	*bound = STORE_BOUND_FILE_SYSTEM;
	if (store->ops->reserve != NULL && !store->ops->reserve(store, status, reserve))
		return 0;
	*bound = STORE_BOUND_SIZE;
	return status->used_bytes < most ? most - status->used_bytes : 0;
}

struct store_time store_last_time(const struct store *store)
{
	return store->time;
}

void store_save_time(struct store *store, uint64_t time_ms)
{
	REQUIRE(!store->open);
	learn_time(store, time_ms);
	store->ops->save_time(store, store->time);
}

void store_release(struct store *store)
{
	REQUIRE(!store->open);
	if (store->ops->release != NULL)
		store->ops->release(store);
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	store_abort(store);
	store->ops->close(store);
}
