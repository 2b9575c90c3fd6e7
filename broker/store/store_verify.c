/* What the rows in a file must be, on top of the walk through its pages. */
#include "store/store_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/require.h"
#include "store/store_backend.h"
#include "store/store_progress.h"

#define AHEAD 131072 /* so much Linux fetches on request, whatever the device */

struct verification {
	struct verify_report *report;
	const struct store_formats *formats;
	verify_row_fn *row;
	void *arg;
	enum store_table table; /* whose rows are walked */
	/* Of the tables, as the main tree has them. */
	struct lmdb_tree trees[STORE_TABLES_MAX];
	bool found[STORE_TABLES_MAX];
	bool has_strange; /* there is a table that its format has not */
	bool is_format_only;
	XXH3_state_t *hash;
};

/* ---- rows ---- */

static void good_row(struct verification *v, struct slice key, struct slice value)
{
	struct reader r = reader_of(value);

	v->report->rows[v->table]++;
	if (v->table == TABLE_META && slice_equal(key, STORE_ROW_FORMAT)) {
		v->report->format = read_u32(&r);
	} else if (v->table == TABLE_META && slice_equal(key, STORE_ROW_COMMIT)) {
		(void)store_backend_read_commit(value, &v->report->transaction, &v->report->time);
	}
	if (v->row != NULL)
		v->row(v->arg, v->table, key, value);
}

struct big_row {
	XXH3_state_t *hash;
	struct buf *value;    /* NULL: not wanted */
	uint64_t value_bytes; /* that are still to come: the checksum follows */
	uint64_t checksum;
};

static void on_piece(void *arg, const uint8_t *bytes, size_t len)
{
	struct big_row *b = arg;
	size_t value_len = len < b->value_bytes ? len : (size_t)b->value_bytes;

	(void)XXH3_64bits_update(b->hash, bytes, value_len);
	if (b->value != NULL)
		buf_put(b->value, bytes, value_len);
	b->value_bytes -= value_len;
	for (size_t i = value_len; i < len; i++)
		b->checksum = b->checksum << 8 | bytes[i];
}

static const char *check_big_row(struct verification *v, struct lmdb_walk *walk,
                                 const struct lmdb_node *node)
{
	struct buf value = {0};
	bool is_wanted = v->row != NULL || v->table == TABLE_META;
	struct big_row b = {.hash = v->hash, .value = is_wanted ? &value : NULL};
	const char *wrong = NULL;

	if (node->value_bytes < STORE_CHECKSUM_BYTES)
		return "a row is too short for its checksum";
	b.value_bytes = node->value_bytes - STORE_CHECKSUM_BYTES;
	(void)XXH3_64bits_reset_withSeed(v->hash, store_backend_checksum_seed(v->table, node->key));
	if (lmdb_walk_read_value(walk, node, on_piece, &b)) {
		if (XXH3_64bits_digest(v->hash) == b.checksum)
			good_row(v, node->key, buf_slice(&value));
		else
			wrong = "the checksum of a row is wrong";
	}
	buf_fini(&value);
	return wrong;
}

static const char *on_table_row(void *arg, struct lmdb_walk *walk, const struct lmdb_node *node)
{
	struct verification *v = arg;
	struct slice value;

	if ((node->flags & LMDB_NODE_TREE) != 0)
		return "a row is marked as a table";
	if ((node->flags & LMDB_NODE_BIG) != 0)
		return check_big_row(v, walk, node);
	if (!store_backend_checksum_verify(v->table, node->key, node->data, &value))
		return "the checksum of a row is wrong";
	good_row(v, node->key, value);
	return NULL;
}

static unsigned all_tables(const struct verification *v)
{
	return store_format_tables(v->formats, v->formats->newest);
}

static const char *on_table(struct verification *v, const struct lmdb_node *node)
{
	struct slice name = slice_skip(node->key, 1); /* '~' */

	if (node->flags != LMDB_NODE_TREE || node->data.len != sizeof(struct lmdb_tree))
		return "a table's record is invalid";
	for (unsigned i = TABLE_META + 1; i < all_tables(v); i++) {
		if (slice_equal(name, slice_of_str(v->formats->table_names[i]))) {
			v->trees[i] = lmdb_page_tree_read(node->data);
			v->found[i] = true;
			return NULL;
		}
	}
	v->has_strange = true;
	return NULL;
}

/* The main tree: the rows of TABLE_META, and the other tables. */
static const char *on_main_row(void *arg, struct lmdb_walk *walk, const struct lmdb_node *node)
{
	return node->key.data[0] == STORE_TABLE_MARK ? on_table(arg, node)
	                                             : on_table_row(arg, walk, node);
}

/* ---- tables ---- */

static void verify_table(struct verification *v, struct lmdb_walk *walk, enum store_table table)
{
	const char *name = v->formats->table_names[table];

	v->table = table;
	if (!v->found[table])
		lmdb_walk_damage(walk, "table '%s' is missing", name);
	else if (v->trees[table].flags != 0)
		lmdb_walk_damage(walk, "table '%s': its record has unknown flags", name);
	else
		lmdb_walk_tree(walk, name, &v->trees[table], on_table_row, v);
}

/* Those of its format must be there, others may not; where the format is not known, what is there
 * is read. */
static void verify_tables(struct verification *v, struct lmdb_walk *walk)
{
	/* mutant: store_newest_tables */
	unsigned count = store_format_tables(v->formats, v->report->format);

	for (unsigned i = TABLE_META + 1; i < all_tables(v); i++) {
		if (i < count || (count == 0 && v->found[i]))
			verify_table(v, walk, i);
		else if (v->found[i])
			v->has_strange = true;
	}
}

/* The rows that every store has, and what follows from all together. */
static void verify_whole(const struct verification *v, struct lmdb_walk *walk)
{
	struct verify_report *report = v->report;
	uint64_t transaction = lmdb_walk_result(walk)->transaction;

	if (report->format > v->formats->newest)
		return;
	if (report->format == 0)
		lmdb_walk_damage(walk,
		                 "its format row is missing: it is not a store of the broker, "
		                 "or damaged");
	else if (report->transaction != transaction)
		lmdb_walk_damage(walk,
		                 "the newest commit is %" PRIu64 ", but the meta page is that of "
		                 "%" PRIu64,
		                 report->transaction, transaction);
	else if (v->has_strange && !v->is_format_only)
		lmdb_walk_damage(walk, "there is a table that does not belong in a store of this "
		                       "format");
	if (lmdb_walk_result(walk)->damages == 0 && !v->is_format_only)
		report->pages_lost = lmdb_walk_lost_pages(walk);
}

static void verify_all(struct verification *v, struct lmdb_walk *walk)
{
	if (!v->is_format_only)
		lmdb_walk_fetch(walk);
	v->table = TABLE_META;
	lmdb_walk_tree(walk, v->formats->table_names[TABLE_META], lmdb_walk_main(walk), on_main_row,
	               v);
	if (!v->is_format_only) {
		if (v->report->format <= v->formats->newest)
			verify_tables(v, walk);
		lmdb_walk_free_pages(walk);
	}
	if (lmdb_walk_result(walk)->error == 0)
		verify_whole(v, walk);
}

/* 0 or -errno, with its text. */
static int take_result(struct verify_report *report, const struct lmdb_walk_result *result)
{
	report->damages = result->damages;
	report->page_bytes = result->page_bytes;
	report->pages = result->pages;
	report->pages_free = result->pages_free;
	(void)snprintf(report->text, sizeof(report->text), "%s", result->text);
	if (result->error != 0) {
		(void)snprintf(report->text, sizeof(report->text), "it cannot be read: %s",
		               strerror(-result->error));
		return result->error;
	}
	if (result->other_version == 0)
		return result->damages > 0 ? -EBADMSG : 0;
	report->lmdb_version = result->other_version;
	(void)snprintf(report->text, sizeof(report->text),
	               "its file has version %" PRIu32 " of LMDB's format, and this version of the "
	               "broker verifies version %d",
	               result->other_version, LMDB_PAGE_VERSION);
	return -ENOTSUP;
}

static int verify(struct verification *v, const struct lmdb_source *source)
{
	struct lmdb_walk *walk = lmdb_walk_new(source);
	int rc;

	*v->report = (struct verify_report){.file_bytes = source->size_bytes};
	if (v->formats == NULL)
		v->formats = &store_formats;
	v->hash = XXH3_createState();
	if (v->hash != NULL && lmdb_walk_open(walk))
		verify_all(v, walk);
	rc = take_result(v->report, lmdb_walk_result(walk));
	if (v->hash == NULL) {
		rc = -ENOMEM;
		(void)snprintf(v->report->text, sizeof(v->report->text),
		               "there is no memory to verify it");
	}
	(void)XXH3_freeState(v->hash);
	lmdb_walk_free(walk);
	return rc;
}

int store_verify(const struct lmdb_source *source, const struct store_formats *formats,
                 verify_row_fn *row, void *arg, struct verify_report *report)
{
	struct verification v = {.report = report, .formats = formats, .row = row, .arg = arg};

	return verify(&v, source);
}

/* ---- files ---- */

static int read_file(void *arg, uint64_t offset, void *out, size_t len)
{
	const int *fd = arg;
	uint8_t *at = out;

	while (len > 0) {
		ssize_t n = pread(*fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* 0: it became shorter meanwhile */
			return n < 0 ? -errno : -EIO;
		at += n;
		store_progress_advance((uint64_t)n);
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Not more than half of the memory: what it pushes out would be read twice. */
static void fetch_file(void *arg, uint64_t bytes)
{
	const int *fd = arg;
	uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;

	for (uint64_t at = 0; bytes <= most && at < bytes; at += AHEAD)
		(void)posix_fadvise(*fd, (off_t)at, AHEAD, POSIX_FADV_WILLNEED);
}

static int size_of(int fd, uint64_t *size_bytes, struct verify_report *report)
{
	struct stat st;
	int rc;

	*report = (struct verify_report){0};
	if (fstat(fd, &st) == 0 && st.st_size >= 0) {
		*size_bytes = (uint64_t)st.st_size;
		return 0;
	}
	rc = -errno;
	(void)snprintf(report->text, sizeof(report->text), "it cannot be read: %s", strerror(-rc));
	return rc;
}

int store_verify_file(int fd, const struct store_formats *formats, verify_row_fn *row, void *arg,
                      struct verify_report *report)
{
	struct lmdb_source source = {.read = read_file, .fetch = fetch_file, .arg = &fd};
	int rc = size_of(fd, &source.size_bytes, report);

	REQUIRE(fd >= 0);
	if (rc != 0)
		return rc;
	store_progress_begin("reading", source.size_bytes, -1);
	rc = store_verify(&source, formats, row, arg, report);
	store_progress_end();
	return rc;
}

int store_verify_format(int fd, struct verify_report *report)
{
	struct lmdb_source source = {.read = read_file, .arg = &fd};
	struct verification v = {.report = report, .is_format_only = true};
	int rc = size_of(fd, &source.size_bytes, report);

	REQUIRE(fd >= 0);
	return rc == 0 ? verify(&v, &source) : rc;
}
