/* See store_faulty.h: it stands below store.c, where the rows have their checksums already. */
#include "support/store_faulty.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "store/store_backend.h"

struct faulty {
	struct store store; /* first */
	struct store *inner;
	unsigned calls, times;
	int error;
};

static struct store *inner_of(struct store *d)
{
	return ((struct faulty *)d)->inner;
}

static int trip(struct store *d)
{
	struct faulty *f = (struct faulty *)d;

	if (f->times == 0)
		return 0;
	if (f->calls > 0) {
		f->calls--;
		return 0;
	}
	f->times--;
	return f->error;
}

static int faulty_begin(struct store *d)
{
	int rc = trip(d);

	return rc != 0 ? rc : inner_of(d)->ops->begin(inner_of(d));
}

static uint64_t faulty_number(struct store *d)
{
	return inner_of(d)->ops->number(inner_of(d));
}

static int faulty_put(struct store *d, enum store_table table, struct slice key, struct slice value,
                      uint64_t checksum)
{
	int rc = trip(d);

	return rc != 0 ? rc : inner_of(d)->ops->put(inner_of(d), table, key, value, checksum);
}

static int faulty_get(struct store *d, enum store_table table, struct slice key, struct slice *row)
{
	int rc = trip(d);

	return rc != 0 ? rc : inner_of(d)->ops->get(inner_of(d), table, key, row);
}

static int faulty_remove(struct store *d, enum store_table table, struct slice key)
{
	int rc = trip(d);

	return rc != 0 ? rc : inner_of(d)->ops->remove(inner_of(d), table, key);
}

static int faulty_scan(struct store *d, enum store_table table, struct slice from,
                       store_visit_fn *visit, void *arg)
{
	int rc = trip(d);

	return rc != 0 ? rc : inner_of(d)->ops->scan(inner_of(d), table, from, visit, arg);
}

static void faulty_abort(struct store *d)
{
	inner_of(d)->ops->abort(inner_of(d));
}

static int faulty_commit(struct store *d)
{
	int rc = trip(d);

	if (rc == 0)
		return inner_of(d)->ops->commit(inner_of(d));
	faulty_abort(d);
	return rc;
}

static void faulty_status(struct store *d, struct store_status *out)
{
	inner_of(d)->ops->status(inner_of(d), out);
}

static void faulty_save_time(struct store *d, struct store_time time)
{
	inner_of(d)->ops->save_time(inner_of(d), time);
}

static void faulty_close(struct store *d)
{
	store_close(inner_of(d));
	free(d);
}

static const struct store_ops faulty_ops = {
    .begin = faulty_begin,
    .number = faulty_number,
    .put = faulty_put,
    .get = faulty_get,
    .remove = faulty_remove,
    .scan = faulty_scan,
    .commit = faulty_commit,
    .abort = faulty_abort,
    .status = faulty_status,
    .save_time = faulty_save_time,
    .close = faulty_close,
};

struct store *store_faulty_new(struct store *inner)
{
	struct faulty *f = xnew(f);

	f->store.ops = &faulty_ops;
	f->store.time = inner->time;
	f->inner = inner;
	f->store.table_count = inner->table_count;
	return &f->store;
}

void store_faulty_fail(struct store *d, unsigned calls, unsigned times, int error)
{
	struct faulty *f = (struct faulty *)d;

	f->calls = calls;
	f->times = times;
	f->error = error;
}

bool store_faulty_is_spent(const struct store *d)
{
	return ((const struct faulty *)d)->times == 0;
}
