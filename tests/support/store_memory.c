/* A skip list of rows for each table, and a list of what takes back the changes of the open
 * transaction. */
#include "support/store_memory.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "store/store_backend.h"
#include "store/store_format.h"

#define HEIGHT_MAX 16

struct row {
	uint8_t *bytes; /* key, then value and seal */
	size_t key_len, row_len;
	unsigned height;
	struct row *next[]; /* `height` of them */
};

struct rows {
	struct row *head[HEIGHT_MAX];
	uint64_t count;
};

/* What takes one change back. */
struct undo {
	enum store_table table;
	uint8_t *key;
	size_t key_len;
	uint8_t *row; /* NULL: there was none */
	size_t row_len;
};

struct store_image {
	struct rows tables[STORE_TABLES_MAX];
	uint64_t transaction;
	struct store_time saved;
	uint64_t bytes, max_bytes, ballast_bytes;
	uint64_t dice; /* for heights: the same in each run */
	unsigned fail_count;
	int fail_error;
	bool used; /* by a disk */
};

struct memory {
	struct store store;
	struct store_image *image;
	struct undo *undo;
	size_t undo_count, undo_cap;
};

static struct memory *memory_of(struct store *d)
{
	return (struct memory *)(void *)d;
}

/* ---- rows ---- */

static struct slice row_key(const struct row *r)
{
	return slice_of(r->bytes, r->key_len);
}

static struct slice row_stored(const struct row *r)
{
	return slice_of(r->bytes + r->key_len, r->row_len);
}

/* The links that point at the first row not below `key`, on each height. */
static struct row *rows_seek(struct rows *rows, struct slice key, struct row **links[HEIGHT_MAX])
{
	struct row **next = rows->head;

	for (unsigned h = HEIGHT_MAX; h-- > 0;) {
		while (next[h] != NULL && slice_compare(row_key(next[h]), key) < 0)
			next = next[h]->next;
		links[h] = &next[h];
	}
	return next[0];
}

static struct row *rows_find(struct rows *rows, struct slice key, struct row **links[HEIGHT_MAX])
{
	struct row *r = rows_seek(rows, key, links);

	return r != NULL && slice_equal(row_key(r), key) ? r : NULL;
}

static unsigned draw_height(struct store_image *image)
{
	unsigned height = 1;

	image->dice = image->dice * 6364136223846793005u + 1442695040888963407u;
	for (uint64_t d = image->dice >> 33; (d & 3) == 0 && height < HEIGHT_MAX; d >>= 2)
		height++;
	return height;
}

static void row_free(struct row *r)
{
	free(r->bytes);
	free(r);
}

static void image_remove(struct store_image *image, enum store_table table, struct row *r,
                         struct row **links[HEIGHT_MAX])
{
	for (unsigned h = 0; h < r->height; h++)
		*links[h] = r->next[h];
	image->tables[table].count--;
	image->bytes -= r->key_len + r->row_len;
	row_free(r);
}

/* Put the row that is `parts` in a line in the place of what there is. */
static void image_put(struct store_image *image, enum store_table table, struct slice key,
                      const struct slice *parts, size_t part_count)
{
	struct row **links[HEIGHT_MAX];
	struct row *r = rows_find(&image->tables[table], key, links);
	struct buf bytes = {0};
	unsigned height;

	buf_put_slice(&bytes, key);
	for (size_t i = 0; i < part_count; i++)
		buf_put_slice(&bytes, parts[i]);
	if (r == NULL) {
		height = draw_height(image);
		r = xcalloc(1, sizeof(*r) + height * sizeof(struct row *));
		r->height = height;
		for (unsigned h = 0; h < height; h++) {
			r->next[h] = *links[h];
			*links[h] = r;
		}
		image->tables[table].count++;
	}
	image->bytes += bytes.len - (r->key_len + r->row_len);
	free(r->bytes);
	r->bytes = bytes.data;
	r->key_len = key.len;
	r->row_len = bytes.len - key.len;
}

/* ---- the way back ---- */

static void remember(struct memory *m, enum store_table table, struct slice key,
                     const struct row *old)
{
	struct undo *u;

	if (m->undo_count == m->undo_cap) {
		m->undo_cap = m->undo_cap * 2 + 16;
		m->undo = xrealloc_array(m->undo, m->undo_cap, sizeof(*m->undo));
	}
	u = &m->undo[m->undo_count++];
	*u = (struct undo){.table = table, .key = (uint8_t *)slice_dup(key), .key_len = key.len};
	if (old != NULL) {
		u->row = (uint8_t *)slice_dup(row_stored(old));
		u->row_len = old->row_len;
	}
}

static void forget(struct memory *m)
{
	for (size_t i = 0; i < m->undo_count; i++) {
		free(m->undo[i].key);
		free(m->undo[i].row);
	}
	m->undo_count = 0;
}

static void take_back(struct store_image *image, const struct undo *u)
{
	struct slice key = slice_of(u->key, u->key_len);
	struct slice row = slice_of(u->row, u->row_len);
	struct row **links[HEIGHT_MAX];
	struct row *r;

	if (u->row != NULL) {
		image_put(image, u->table, key, &row, 1);
		return;
	}
	r = rows_find(&image->tables[u->table], key, links);
	REQUIRE(r != NULL);
	image_remove(image, u->table, r, links);
}

/* ---- as a disk ---- */

static int memory_begin(struct store *d)
{
	(void)d;
	return 0;
}

static uint64_t memory_number(struct store *d)
{
	return memory_of(d)->image->transaction + 1;
}

static uint64_t used_bytes(const struct store_image *image)
{
	return image->bytes + image->ballast_bytes;
}

static int memory_put(struct store *d, enum store_table table, struct slice key, struct slice value,
                      uint64_t checksum)
{
	struct memory *m = memory_of(d);
	struct row **links[HEIGHT_MAX];
	struct buf checksum_bytes = {0};

	if (m->image->max_bytes != 0 &&
	    used_bytes(m->image) + key.len + value.len > m->image->max_bytes)
		return -ENOSPC;
	buf_put_u64(&checksum_bytes, checksum);
	remember(m, table, key, rows_find(&m->image->tables[table], key, links));
	image_put(m->image, table, key, (struct slice[]){value, buf_slice(&checksum_bytes)}, 2);
	buf_fini(&checksum_bytes);
	return 0;
}

static int memory_get(struct store *d, enum store_table table, struct slice key, struct slice *row)
{
	struct row **links[HEIGHT_MAX];
	const struct row *r = rows_find(&memory_of(d)->image->tables[table], key, links);

	if (r == NULL)
		return -ENOENT;
	*row = row_stored(r);
	return 0;
}

static int memory_remove(struct store *d, enum store_table table, struct slice key)
{
	struct memory *m = memory_of(d);
	struct row **links[HEIGHT_MAX];
	struct row *r = rows_find(&m->image->tables[table], key, links);

	if (r == NULL)
		return -ENOENT;
	remember(m, table, key, r);
	image_remove(m->image, table, r, links);
	return 0;
}

static int memory_scan(struct store *d, enum store_table table, struct slice from,
                       store_visit_fn *visit, void *arg)
{
	struct row **links[HEIGHT_MAX];
	const struct row *r = rows_seek(&memory_of(d)->image->tables[table], from, links);

	while (r != NULL && visit(arg, row_key(r), row_stored(r)))
		r = r->next[0];
	return 0;
}

static void memory_abort(struct store *d)
{
	struct memory *m = memory_of(d);

	for (size_t i = m->undo_count; i-- > 0;)
		take_back(m->image, &m->undo[i]);
	forget(m);
}

static int memory_commit(struct store *d)
{
	struct memory *m = memory_of(d);

	if (m->image->fail_count > 0) {
		m->image->fail_count--;
		memory_abort(d);
		return m->image->fail_error;
	}
	forget(m);
	m->image->transaction++;
	return 0;
}

static void memory_status(struct store *d, struct store_status *out)
{
	const struct store_image *image = memory_of(d)->image;

	out->used_bytes = out->map_bytes = out->file_bytes = used_bytes(image);
	out->max_bytes = image->max_bytes;
	out->transaction = image->transaction;
	for (unsigned i = 0; i < STORE_TABLES_MAX; i++)
		out->rows[i] = image->tables[i].count;
}

static void memory_save_time(struct store *d, struct store_time time)
{
	struct store_image *image = memory_of(d)->image;

	if (image->fail_count == 0) /* or it has crashed already */
		image->saved = time;
}

static void memory_close(struct store *d)
{
	struct memory *m = memory_of(d);

	m->image->used = false;
	free(m->undo);
	free(m);
}

static const struct store_ops memory_ops = {
    .begin = memory_begin,
    .number = memory_number,
    .put = memory_put,
    .get = memory_get,
    .remove = memory_remove,
    .scan = memory_scan,
    .commit = memory_commit,
    .abort = memory_abort,
    .status = memory_status,
    .save_time = memory_save_time,
    .close = memory_close,
};

struct store *store_memory_open(struct store_image *image)
{
	struct memory *m = xnew(m);
	char text[STORE_ERROR_TEXT];
	int rc;

	REQUIRE(!image->used);
	image->used = true;
	m->store.ops = &memory_ops;
	m->store.table_count = TABLES;
	m->store.time = image->saved;
	m->image = image;
	rc = store_format_settle(&m->store, &store_formats, text);
	REQUIRE(rc == 0);
	return &m->store;
}

/* ---- the image ---- */

struct store_image *store_image_new(void)
{
	struct store_image *image = xnew(image);

	store_close(store_memory_open(image)); /* the rows that every store has */
	return image;
}

void store_image_free(struct store_image *image)
{
	if (image == NULL)
		return;
	REQUIRE(!image->used);
	for (unsigned i = 0; i < STORE_TABLES_MAX; i++) {
		struct row *r = image->tables[i].head[0];

		while (r != NULL) {
			struct row *next = r->next[0];

			row_free(r);
			r = next;
		}
	}
	free(image);
}

void store_image_bound(struct store_image *image, uint64_t max_bytes, uint64_t ballast_bytes)
{
	image->max_bytes = max_bytes;
	image->ballast_bytes = ballast_bytes;
}

bool store_image_is_bound(const struct store_image *image)
{
	return image->max_bytes != 0;
}

uint64_t store_image_bytes(const struct store_image *image)
{
	return image->bytes;
}

void store_image_fail(struct store_image *image, unsigned count, int error)
{
	image->fail_count = count;
	image->fail_error = error;
}

bool store_image_damage(struct store_image *image, enum store_table table, struct slice key)
{
	struct row **links[HEIGHT_MAX];
	struct row *r = rows_find(&image->tables[table], key, links);

	if (r != NULL)
		r->bytes[r->key_len] ^= 1;
	return r != NULL;
}
