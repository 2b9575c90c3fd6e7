/* The walk through the file: from the newest meta page down each tree.  A page that is wrong is
 * told and left; its siblings are still looked at, so that a damaged store gives what it can.
 * Recursion ends with the depth that LMDB allows. */
#include "store/lmdb_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "store/lmdb_page.h"
#include "store/store_backend.h"

#define CHUNK 65536
#define AHEAD 131072 /* so much Linux fetches on request, whatever the device */

struct verify {
	const struct verify_source *source;
	struct verify_report *report;
	verify_row_fn *row;
	void *arg;
	int error; /* of reading: ends everything */
	struct page_meta meta;
	uint32_t page_bytes;
	size_t page_count;           /* by the meta page; those in the file may be fewer */
	uint8_t *seen;               /* a bit for each page */
	uint8_t *buffer[PAGE_DEPTH]; /* a page of each level */
	uint8_t *chunk;              /* of a value on overflow pages */
	const struct store_formats *formats;
	bool format_only;
	/* Of the tables, as the main tree has them. */
	struct page_tree sub[STORE_TABLES_MAX];
	bool found[STORE_TABLES_MAX];
	bool strange; /* there is a table that its format has not */
	XXH3_state_t *hash;
	struct page_map map;
};

struct walk;
/* A row of a leaf. */
typedef void walk_row_fn(struct verify *v, struct walk *w, size_t page, const struct node *node);

struct walk {
	const char *name; /* of the table */
	const struct page_tree *tree;
	enum store_table table;
	bool numbers; /* keys are the machine's own */
	walk_row_fn *on_row;
	size_t branch_pages, leaf_pages, overflow_pages, entries;
};

/* ---- what is wrong ---- */

__attribute__((format(printf, 2, 3))) static void damage(struct verify *v, const char *format, ...)
{
	va_list args;

	if (v->report->damages++ > 0)
		return;
	va_start(args, format);
	(void)vsnprintf(v->report->text, sizeof(v->report->text), format, args);
	va_end(args);
}

static void damage_page(struct verify *v, const struct walk *w, size_t page, const char *what)
{
	damage(v, "table '%s', page %zu (offset %" PRIu64 "): %s", w->name, page,
	       (uint64_t)page * v->page_bytes, what);
}

/* ---- reading ---- */

static bool read_at(struct verify *v, uint64_t offset, void *out, size_t len)
{
	if (v->error == 0 && offset <= v->source->size_bytes &&
	    len <= v->source->size_bytes - offset) {
		v->error = v->source->read(v->source->arg, offset, out, len);
		return v->error == 0;
	}
	return false;
}

static bool is_in_file(const struct verify *v, size_t page, size_t count)
{
	uint64_t pages = v->source->size_bytes / v->page_bytes;

	return page >= PAGE_METAS && page < v->page_count && count <= v->page_count - page &&
	       page < pages && count <= pages - page;
}

static bool mark(struct verify *v, size_t page)
{
	uint8_t bit = (uint8_t)(1u << (page % 8));
	bool fresh = (v->seen[page / 8] & bit) == 0;

	v->seen[page / 8] |= bit;
	return fresh;
}

/* These pages are reached from here, and from nowhere else. */
static bool claim(struct verify *v, const struct walk *w, size_t page, size_t count)
{
	if (!is_in_file(v, page, count)) {
		damage_page(v, w, page,
		            "it is not in the file: the file was cut, or the page that "
		            "names it is damaged");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!mark(v, page + i)) {
			damage_page(v, w, page + i, "it is used twice");
			return false;
		}
	}
	return true;
}

/* ---- values on pages of their own ---- */

/* What becomes of one, piece by piece. */
typedef void piece_fn(void *arg, const uint8_t *bytes, size_t len);

/* All its pages. */
static bool claim_big(struct verify *v, struct walk *w, size_t page, size_t value_bytes)
{
	size_t needed = page_overflow_count(value_bytes, v->page_bytes), count;
	uint8_t header[PAGE_HEADER];
	const char *wrong;

	if (!claim(v, w, page, 1) ||
	    !read_at(v, (uint64_t)page * v->page_bytes, header, sizeof(header)))
		return false;
	wrong = page_overflow_parse(header, page, needed, &count);
	if (wrong != NULL) {
		damage_page(v, w, page, wrong);
		return false;
	}
	w->overflow_pages += count;
	return count == 1 || claim(v, w, page + 1, count - 1);
}

static bool read_big(struct verify *v, struct walk *w, const struct node *node, piece_fn *piece,
                     void *arg)
{
	size_t page = page_number_read(node->data.data);
	uint64_t at = (uint64_t)page * v->page_bytes + PAGE_HEADER;
	size_t left = node->value_bytes;

	if (!claim_big(v, w, page, left))
		return false;
	while (left > 0) {
		size_t len = left < CHUNK ? left : CHUNK;

		if (!read_at(v, at, v->chunk, len))
			return false;
		piece(arg, v->chunk, len);
		at += len;
		left -= len;
	}
	return true;
}

/* ---- rows ---- */

static void good_row(struct verify *v, enum store_table table, struct slice key, struct slice value)
{
	struct reader r = reader_of(value);

	v->report->rows[table]++;
	if (table == TABLE_META && slice_equal(key, STORE_ROW_FORMAT)) {
		v->report->format = read_u32(&r);
	} else if (table == TABLE_META && slice_equal(key, STORE_ROW_COMMIT)) {
		v->report->transaction = read_u64(&r);
		v->report->time_ms = read_u64(&r);
	}
	if (v->row != NULL)
		v->row(v->arg, table, key, value);
}

struct big_row {
	XXH3_state_t *hash;
	struct buf *kept;     /* NULL: not wanted */
	uint64_t value_bytes; /* that are still to come: the checksum follows */
	uint64_t checksum;
};

static void on_piece(void *arg, const uint8_t *bytes, size_t len)
{
	struct big_row *b = arg;
	size_t value_len = len < b->value_bytes ? len : (size_t)b->value_bytes;

	(void)XXH3_64bits_update(b->hash, bytes, value_len);
	if (b->kept != NULL)
		buf_put(b->kept, bytes, value_len);
	b->value_bytes -= value_len;
	for (size_t i = value_len; i < len; i++)
		b->checksum = b->checksum << 8 | bytes[i];
}

static void on_big_row(struct verify *v, struct walk *w, size_t page, const struct node *node)
{
	struct buf kept = {0};
	bool wanted = v->row != NULL || w->table == TABLE_META;
	struct big_row b = {.hash = v->hash, .kept = wanted ? &kept : NULL};

	if (node->value_bytes < STORE_CHECKSUM_BYTES) {
		damage_page(v, w, page, "a row is too short for its checksum");
		return;
	}
	b.value_bytes = node->value_bytes - STORE_CHECKSUM_BYTES;
	(void)XXH3_64bits_reset_withSeed(v->hash, store_backend_checksum_seed(w->table, node->key));
	if (read_big(v, w, node, on_piece, &b)) {
		if (XXH3_64bits_digest(v->hash) == b.checksum)
			good_row(v, w->table, node->key, buf_slice(&kept));
		else
			damage_page(v, w, page, "the checksum of a row is wrong");
	}
	buf_fini(&kept);
}

static void on_table_row(struct verify *v, struct walk *w, size_t page, const struct node *node)
{
	struct slice value;

	if ((node->flags & NODE_TABLE) != 0)
		damage_page(v, w, page, "a row is marked as a table");
	else if ((node->flags & NODE_BIG) != 0)
		on_big_row(v, w, page, node);
	else if (store_backend_checksum_verify(w->table, node->key, node->data, &value))
		good_row(v, w->table, node->key, value);
	else
		damage_page(v, w, page, "the checksum of a row is wrong");
}

static unsigned all_tables(const struct verify *v)
{
	return store_format_tables(v->formats, v->formats->newest);
}

static void on_table(struct verify *v, const struct walk *w, size_t page, const struct node *node)
{
	struct slice name = slice_skip(node->key, 1); /* '~' */

	if (node->flags != NODE_TABLE || node->data.len != sizeof(struct page_tree)) {
		damage_page(v, w, page, "a table's record is not one");
		return;
	}
	for (unsigned i = TABLE_META + 1; i < all_tables(v); i++) {
		if (slice_equal(name, slice_of_str(v->formats->table_names[i]))) {
			v->sub[i] = page_tree_read(node->data);
			v->found[i] = true;
			return;
		}
	}
	v->strange = true;
}

/* The main tree: the rows of TABLE_META, and the other tables. */
static void on_main_row(struct verify *v, struct walk *w, size_t page, const struct node *node)
{
	if (node->key.data[0] == STORE_TABLE_MARK)
		on_table(v, w, page, node);
	else
		on_table_row(v, w, page, node);
}

/* ---- the list of free pages ---- */

/* Numbers in a line: how many there are, then they, each smaller than the one before. */
struct free_pages {
	struct verify *v;
	const struct walk *w;
	size_t page; /* where the row is */
	size_t left, last;
	bool begun;
};

static void on_free_page(struct free_pages *f, size_t number)
{
	if (!f->begun) {
		f->begun = true;
		f->left = number;
		return;
	}
	if (f->left == 0)
		return;
	f->left--;
	if (number >= f->last || number < PAGE_METAS) {
		damage_page(f->v, f->w, f->page, "the list of free pages names one it cannot");
		return;
	}
	f->last = number;
	if (mark(f->v, number))
		f->v->report->pages_free++;
	else
		damage_page(f->v, f->w, f->page, "the list of free pages names one in use");
}

static void on_free_piece(void *arg, const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at + sizeof(size_t) <= len; at += sizeof(size_t))
		on_free_page(arg, page_number_read(bytes + at));
}

static void on_free_row(struct verify *v, struct walk *w, size_t page, const struct node *node)
{
	struct free_pages f = {.v = v, .w = w, .page = page, .last = v->page_count};
	size_t freed_by = page_number_read(node->key.data);
	bool read = true;

	if ((node->flags & NODE_TABLE) != 0 || freed_by == 0 || freed_by > v->meta.transaction) {
		damage_page(v, w, page, "a list of free pages is not one");
		return;
	}
	if (node->flags == NODE_BIG)
		read = read_big(v, w, node, on_free_piece, &f);
	else
		on_free_piece(&f, node->data.data, node->data.len);
	if (read && (!f.begun || f.left > 0))
		damage_page(v, w, page, "a list of free pages is cut");
}

/* ---- trees ---- */

static int compare_keys(const struct walk *w, struct slice a, struct slice b)
{
	size_t x, y;

	if (!w->numbers)
		return slice_compare(a, b);
	x = page_number_read(a.data);
	y = page_number_read(b.data);
	return x < y ? -1 : x > y;
}

/* From `low` (empty: the first there is) to before `high` (empty: the last). */
struct bounds {
	struct slice low, high;
};

/* Keys in order and within the bounds; the first of a branch says nothing. */
static bool keys_are_ordered(const struct walk *w, const struct page *p, struct bounds bounds)
{
	struct slice last = bounds.low;

	for (unsigned i = p->flags == PAGE_BRANCH ? 1 : 0; i < p->count; i++) {
		struct slice key = page_node(p, i).key;

		if (w->numbers && key.len != sizeof(size_t))
			return false;
		if (last.len > 0) {
			int c = compare_keys(w, last, key);

			if (c > 0 || (c == 0 && last.data != bounds.low.data))
				return false;
		}
		last = key;
	}
	return last.len == 0 || bounds.high.len == 0 || last.data == bounds.low.data ||
	       compare_keys(w, last, bounds.high) < 0;
}

static const char *page_check(const struct walk *w, const struct page *p, unsigned level,
                              struct bounds bounds)
{
	bool is_leaf = p->flags == PAGE_LEAF;

	if (is_leaf != (level + 1u == w->tree->depth))
		return "it is not of the kind that belongs at this depth";
	if (!is_leaf && p->count < 2 && !w->numbers)
		return "a branch has less than two children";
	if (!keys_are_ordered(w, p, bounds))
		return "its keys are not in order";
	return NULL;
}

static void walk_page(struct verify *v, struct walk *w, size_t number, unsigned level,
                      struct bounds bounds);

static void walk_children(struct verify *v, struct walk *w, const struct page *p, unsigned level,
                          struct bounds bounds)
{
	for (unsigned i = 0; i < p->count && v->error == 0; i++) {
		struct bounds part = bounds;

		if (i > 0)
			part.low = page_node(p, i).key;
		if (i + 1 < p->count)
			part.high = page_node(p, i + 1).key;
		walk_page(v, w, page_node(p, i).child, level + 1, part);
	}
}

static void walk_rows(struct verify *v, struct walk *w, const struct page *p, size_t number)
{
	w->entries += p->count;
	for (unsigned i = 0; i < p->count && v->error == 0; i++) {
		struct node node = page_node(p, i);

		w->on_row(v, w, number, &node);
	}
}

static void walk_page(struct verify *v, struct walk *w, size_t number, unsigned level,
                      struct bounds bounds)
{
	struct page p;
	const char *wrong;

	if (!claim(v, w, number, 1))
		return;
	if (v->buffer[level] == NULL)
		v->buffer[level] = xalloc(v->page_bytes);
	if (!read_at(v, (uint64_t)number * v->page_bytes, v->buffer[level], v->page_bytes))
		return;
	wrong = page_parse(v->buffer[level], v->page_bytes, number, &v->map, &p);
	if (wrong == NULL)
		wrong = page_check(w, &p, level, bounds);
	if (wrong != NULL) {
		damage_page(v, w, number, wrong);
	} else if (p.flags == PAGE_LEAF) {
		w->leaf_pages++;
		walk_rows(v, w, &p, number);
	} else {
		w->branch_pages++;
		walk_children(v, w, &p, level, bounds);
	}
}

static bool counts_agree(const struct walk *w)
{
	return w->branch_pages == w->tree->branch_pages && w->leaf_pages == w->tree->leaf_pages &&
	       w->overflow_pages == w->tree->overflow_pages && w->entries == w->tree->entries;
}

static void walk_tree(struct verify *v, struct walk *w)
{
	uint64_t before = v->report->damages;

	if (w->tree->depth > PAGE_DEPTH || (w->tree->root == PAGE_NONE) != (w->tree->depth == 0)) {
		damage(v, "table '%s': its record names an impossible depth", w->name);
		return;
	}
	if (w->tree->root != PAGE_NONE)
		walk_page(v, w, w->tree->root, 0, (struct bounds){0});
	if (v->error == 0 && v->report->damages == before && !counts_agree(w))
		damage(v, "table '%s': its record counts other pages or rows than there are",
		       w->name);
}

static void walk_table(struct verify *v, enum store_table table)
{
	struct walk w = {.name = v->formats->table_names[table],
	                 .tree = &v->sub[table],
	                 .table = table,
	                 .on_row = on_table_row};

	if (!v->found[table])
		damage(v, "table '%s' is missing", w.name);
	else if (w.tree->flags != 0)
		damage(v, "table '%s': its record has unknown flags", w.name);
	else
		walk_tree(v, &w);
}

/* Those of its format must be there, others may not; where the format is not known, what is there
 * is read. */
static void walk_tables(struct verify *v)
{
	/* mutant: store_newest_tables */
	unsigned count = store_format_tables(v->formats, v->report->format);

	for (unsigned i = TABLE_META + 1; i < all_tables(v); i++) {
		if (i < count || (count == 0 && v->found[i]))
			walk_table(v, i);
		else if (v->found[i])
			v->strange = true;
	}
}

static void walk_all(struct verify *v)
{
	struct walk main = {.name = v->formats->table_names[TABLE_META],
	                    .tree = &v->meta.main,
	                    .table = TABLE_META,
	                    .on_row = on_main_row};
	struct walk list = {.name = "free pages",
	                    .tree = &v->meta.free_list,
	                    .table = STORE_TABLES_MAX,
	                    .numbers = true,
	                    .on_row = on_free_row};

	walk_tree(v, &main);
	if (v->format_only)
		return;
	if (v->report->format <= v->formats->newest)
		walk_tables(v);
	walk_tree(v, &list);
}

/* ---- the whole ---- */

static bool read_meta(struct verify *v, uint64_t offset, size_t number, struct page_meta *out)
{
	uint8_t bytes[PAGE_META_BYTES];
	const char *wrong = "the file is too short for it";

	if (read_at(v, offset, bytes, sizeof(bytes)))
		wrong = page_meta_parse(bytes, number, out);
	if (wrong != NULL && v->error == 0)
		damage(v, "meta page %zu: %s", number, wrong);
	return wrong == NULL && v->error == 0;
}

/* Transaction N is written to page N % 2; the other page has the one before it. */
static bool metas_agree(const struct page_meta *a, const struct page_meta *b)
{
	size_t apart = a->transaction > b->transaction ? a->transaction - b->transaction
	                                               : b->transaction - a->transaction;

	return a->free_list.pad == b->free_list.pad && a->transaction % 2 == 0 &&
	       b->transaction % 2 == 1 && apart == 1;
}

static bool choose_meta(struct verify *v)
{
	struct page_meta metas[PAGE_METAS];

	if (!read_meta(v, 0, 0, &metas[0]) || !read_meta(v, metas[0].free_list.pad, 1, &metas[1]))
		return false;
	if (!metas_agree(&metas[0], &metas[1])) {
		damage(v, "the two meta pages do not go together");
		return false;
	}
	v->meta = metas[metas[0].transaction < metas[1].transaction];
	v->page_bytes = v->meta.free_list.pad;
	v->page_count = v->meta.last_page + 1;
	if (v->meta.last_page < 1 ||
	    v->meta.last_page > v->source->size_bytes / v->page_bytes * 2 + (1u << 20)) {
		damage(v, "the meta page counts far more pages than the file has");
		return false;
	}
	return true;
}

/* The rows that every store has, and what follows from all together. */
static void check_whole(struct verify *v)
{
	struct verify_report *r = v->report;
	uint64_t seen = 0;

	if (r->format > v->formats->newest)
		return;
	if (r->format == 0)
		damage(v, "its format row is missing: it is not a store of the broker, or damaged");
	else if (r->transaction != v->meta.transaction)
		damage(v, "the newest commit is %" PRIu64 ", but the meta page is that of %zu",
		       r->transaction, v->meta.transaction);
	else if (v->strange && !v->format_only)
		damage(v, "there is a table that does not belong in a store of this format");
	for (size_t i = 0; i < v->page_count / 8 + 1; i++)
		seen += (unsigned)__builtin_popcount(v->seen[i]);
	if (r->damages == 0 && !v->format_only)
		r->pages_lost = v->page_count - PAGE_METAS - seen;
}

/* The trees go to and fro in the file, page by page, which disks are slow at. */
static void fetch_all(const struct verify *v)
{
	uint64_t bytes = (uint64_t)v->page_count * v->page_bytes;

	if (v->source->fetch != NULL)
		v->source->fetch(v->source->arg,
		                 bytes < v->source->size_bytes ? bytes : v->source->size_bytes);
}

static void verify_all(struct verify *v)
{
	if (!choose_meta(v))
		return;
	v->report->page_bytes = v->page_bytes;
	v->report->pages = v->page_count;
	if (!v->format_only)
		fetch_all(v);
	v->seen = xcalloc(v->page_count / 8 + 1, 1);
	v->chunk = xalloc(CHUNK);
	v->hash = XXH3_createState();
	if (v->hash == NULL)
		v->error = -ENOMEM;
	else
		walk_all(v);
	if (v->error == 0)
		check_whole(v);
}

static int verify(struct verify *v)
{
	const struct verify_source *source = v->source;
	struct verify_report *report = v->report;
	int rc;

	*report = (struct verify_report){.file_bytes = source->size_bytes};
	v->formats = source->formats == NULL ? &store_formats : source->formats;
	verify_all(v);
	rc = v->error != 0 ? v->error : report->damages > 0 ? -EBADMSG : 0;
	if (v->error != 0)
		(void)snprintf(report->text, sizeof(report->text), "it cannot be read: %s",
		               strerror(-v->error));
	for (size_t i = 0; i < PAGE_DEPTH; i++)
		free(v->buffer[i]);
	(void)XXH3_freeState(v->hash);
	free(v->chunk);
	free(v->seen);
	free(v);
	return rc;
}

int store_verify(const struct verify_source *source, verify_row_fn *row, void *arg,
                 struct verify_report *report)
{
	struct verify *v = xnew(v);

	v->source = source;
	v->report = report;
	v->row = row;
	v->arg = arg;
	return verify(v);
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
	struct verify_source source = {
	    .read = read_file, .fetch = fetch_file, .arg = &fd, .formats = formats};
	int rc = size_of(fd, &source.size_bytes, report);

	return rc == 0 ? store_verify(&source, row, arg, report) : rc;
}

int store_verify_format(int fd, struct verify_report *report)
{
	struct verify_source source = {.read = read_file, .arg = &fd};
	int rc = size_of(fd, &source.size_bytes, report);
	struct verify *v;

	if (rc != 0)
		return rc;
	v = xnew(v);
	v->source = &source;
	v->report = report;
	v->format_only = true;
	return verify(v);
}
