/* See lmdb_walk.h.  Recursion ends with the depth that LMDB allows. */
#include "store/lmdb_walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define CHUNK 65536

/* The tree under way. */
struct tree_walk {
	const char *name;
	const struct lmdb_tree *tree;
	bool has_numbers; /* keys are the machine's own */
	lmdb_row_fn *on_row;
	void *arg;
	size_t branch_pages, leaf_pages, overflow_pages, entries;
};

struct lmdb_walk {
	const struct lmdb_source *source;
	struct lmdb_walk_result result;
	struct lmdb_meta meta;
	uint32_t page_bytes;
	size_t page_count;                /* by the meta page; those in the file may be fewer */
	uint8_t *seen;                    /* a bit for each page */
	uint8_t *buffer[LMDB_PAGE_DEPTH]; /* a page of each level */
	uint8_t *chunk;                   /* of a value on overflow pages */
	struct lmdb_page_map map;
	struct tree_walk *tree;
	size_t page; /* of the row under way */
};

/* ---- what is wrong ---- */

void lmdb_walk_damage(struct lmdb_walk *w, const char *format, ...)
{
	va_list args;

	if (w->result.damages++ > 0)
		return;
	va_start(args, format);
	(void)vsnprintf(w->result.text, sizeof(w->result.text), format, args);
	va_end(args);
}

static void damage_page(struct lmdb_walk *w, size_t page, const char *what)
{
	lmdb_walk_damage(w, "table '%s', page %zu (offset %" PRIu64 "): %s", w->tree->name, page,
	                 (uint64_t)page * w->page_bytes, what);
}

/* ---- reading ---- */

static bool read_at(struct lmdb_walk *w, uint64_t offset, void *out, size_t len)
{
	if (w->result.error == 0 && offset <= w->source->size_bytes &&
	    len <= w->source->size_bytes - offset) {
		w->result.error = w->source->read(w->source->arg, offset, out, len);
		return w->result.error == 0;
	}
	return false;
}

static bool is_in_file(const struct lmdb_walk *w, size_t page, size_t count)
{
	uint64_t pages = w->source->size_bytes / w->page_bytes;

	return page >= LMDB_PAGE_METAS && page < w->page_count && count <= w->page_count - page &&
	       page < pages && count <= pages - page;
}

static bool mark_page(struct lmdb_walk *w, size_t page)
{
	uint8_t bit = (uint8_t)(1u << (page % 8));
	bool fresh = (w->seen[page / 8] & bit) == 0;

	w->seen[page / 8] |= bit;
	return fresh;
}

/* These pages are reached from here, and from nowhere else. */
static bool claim_pages(struct lmdb_walk *w, size_t page, size_t count)
{
	if (!is_in_file(w, page, count)) {
		damage_page(w, page,
		            "it is not in the file: the file was cut, or the page that "
		            "names it is damaged");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!mark_page(w, page + i)) {
			damage_page(w, page + i, "it is used twice");
			return false;
		}
	}
	return true;
}

/* ---- values on pages of their own ---- */

/* All its pages. */
static bool claim_value(struct lmdb_walk *w, size_t page, size_t value_bytes)
{
	size_t needed = lmdb_page_overflow_count(value_bytes, w->page_bytes), count;
	uint8_t header[LMDB_PAGE_HEADER];
	const char *wrong;

	if (!claim_pages(w, page, 1) ||
	    !read_at(w, (uint64_t)page * w->page_bytes, header, sizeof(header)))
		return false;
	wrong = lmdb_page_overflow_parse(header, page, needed, &count);
	if (wrong != NULL) {
		damage_page(w, page, wrong);
		return false;
	}
	w->tree->overflow_pages += count;
	return count == 1 || claim_pages(w, page + 1, count - 1);
}

bool lmdb_walk_read_value(struct lmdb_walk *w, const struct lmdb_node *node, lmdb_piece_fn *piece,
                          void *arg)
{
	size_t page = lmdb_page_number_read(node->data.data);
	uint64_t at = (uint64_t)page * w->page_bytes + LMDB_PAGE_HEADER;
	size_t left = node->value_bytes;

	if (!claim_value(w, page, left))
		return false;
	while (left > 0) {
		size_t len = left < CHUNK ? left : CHUNK;

		if (!read_at(w, at, w->chunk, len))
			return false;
		piece(arg, w->chunk, len);
		at += len;
		left -= len;
	}
	return true;
}

/* ---- the list of free pages ---- */

/* Numbers in a line: how many there are, then they, each smaller than the one before. */
struct free_pages {
	struct lmdb_walk *w;
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
	if (number >= f->last || number < LMDB_PAGE_METAS) {
		damage_page(f->w, f->w->page, "the list of free pages names one it cannot");
		return;
	}
	f->last = number;
	if (mark_page(f->w, number))
		f->w->result.pages_free++;
	else
		damage_page(f->w, f->w->page, "the list of free pages names one in use");
}

static void on_free_piece(void *arg, const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at + sizeof(size_t) <= len; at += sizeof(size_t))
		on_free_page(arg, lmdb_page_number_read(bytes + at));
}

static const char *on_free_row(void *arg, struct lmdb_walk *w, const struct lmdb_node *node)
{
	struct free_pages f = {.w = w, .last = w->page_count};
	size_t freed_by = lmdb_page_number_read(node->key.data);
	bool was_read = true;

	(void)arg;
	if ((node->flags & LMDB_NODE_TREE) != 0 || freed_by == 0 || freed_by > w->meta.transaction)
		return "a list of free pages is invalid";
	if (node->flags == LMDB_NODE_BIG)
		was_read = lmdb_walk_read_value(w, node, on_free_piece, &f);
	else
		on_free_piece(&f, node->data.data, node->data.len);
	return was_read && (!f.begun || f.left > 0) ? "a list of free pages is cut" : NULL;
}

/* ---- trees ---- */

static int compare_keys(const struct tree_walk *t, struct slice a, struct slice b)
{
	size_t x, y;

	if (!t->has_numbers)
		return slice_compare(a, b);
	x = lmdb_page_number_read(a.data);
	y = lmdb_page_number_read(b.data);
	return x < y ? -1 : x > y;
}

/* From `low` (empty: the first there is) to before `high` (empty: the last). */
struct bounds {
	struct slice low, high;
};

/* Keys in order and within the bounds; the first of a branch says nothing. */
static bool keys_are_ordered(const struct tree_walk *t, const struct lmdb_page *p,
                             struct bounds bounds)
{
	struct slice last = bounds.low;

	for (unsigned i = p->flags == LMDB_PAGE_BRANCH ? 1 : 0; i < p->count; i++) {
		struct slice key = lmdb_page_node(p, i).key;

		if (t->has_numbers && key.len != sizeof(size_t))
			return false;
		if (last.len > 0) {
			int c = compare_keys(t, last, key);

			if (c > 0 || (c == 0 && last.data != bounds.low.data))
				return false;
		}
		last = key;
	}
	return last.len == 0 || bounds.high.len == 0 || last.data == bounds.low.data ||
	       compare_keys(t, last, bounds.high) < 0;
}

static const char *check_page(const struct tree_walk *t, const struct lmdb_page *p, unsigned level,
                              struct bounds bounds)
{
	bool is_leaf = p->flags == LMDB_PAGE_LEAF;

	if (is_leaf != (level + 1u == t->tree->depth))
		return "it is of the wrong kind for this depth";
	if (!is_leaf && p->count < 2 && !t->has_numbers)
		return "a branch has less than two children";
	if (!keys_are_ordered(t, p, bounds))
		return "its keys are not in order";
	return NULL;
}

static void walk_page(struct lmdb_walk *w, size_t number, unsigned level, struct bounds bounds);

static void walk_rows(struct lmdb_walk *w, const struct lmdb_page *p, size_t number)
{
	w->tree->entries += p->count;
	for (unsigned i = 0; i < p->count && w->result.error == 0; i++) {
		struct lmdb_node node = lmdb_page_node(p, i);

		const char *wrong;

		w->page = number;
		wrong = w->tree->on_row(w->tree->arg, w, &node);
		if (wrong != NULL)
			damage_page(w, number, wrong);
	}
}

static void walk_page(struct lmdb_walk *w, size_t number, unsigned level, struct bounds bounds)
{
	struct lmdb_page p;
	const char *wrong;

	REQUIRE(level < LMDB_PAGE_DEPTH);
	if (!claim_pages(w, number, 1))
		return;
	if (w->buffer[level] == NULL)
		w->buffer[level] = xalloc(w->page_bytes);
	if (!read_at(w, (uint64_t)number * w->page_bytes, w->buffer[level], w->page_bytes))
		return;
	wrong = lmdb_page_parse(w->buffer[level], w->page_bytes, number, &w->map, &p);
	if (wrong == NULL)
		wrong = check_page(w->tree, &p, level, bounds);
	if (wrong != NULL) {
		damage_page(w, number, wrong);
	} else if (p.flags == LMDB_PAGE_LEAF) {
		w->tree->leaf_pages++;
		walk_rows(w, &p, number);
	} else {
		w->tree->branch_pages++;
		for (unsigned i = 0; i < p.count && w->result.error == 0; i++) {
			struct bounds part = bounds;

			if (i > 0)
				part.low = lmdb_page_node(&p, i).key;
			if (i + 1 < p.count)
				part.high = lmdb_page_node(&p, i + 1).key;
			walk_page(w, lmdb_page_node(&p, i).child, level + 1, part);
		}
	}
}

static bool counts_agree(const struct tree_walk *t)
{
	return t->branch_pages == t->tree->branch_pages && t->leaf_pages == t->tree->leaf_pages &&
	       t->overflow_pages == t->tree->overflow_pages && t->entries == t->tree->entries;
}

static void walk_tree(struct lmdb_walk *w, struct tree_walk *t)
{
	uint64_t before = w->result.damages;

	w->tree = t;
	if (t->tree->depth > LMDB_PAGE_DEPTH ||
	    (t->tree->root == LMDB_PAGE_NONE) != (t->tree->depth == 0)) {
		lmdb_walk_damage(w, "table '%s': its record names an impossible depth", t->name);
		return;
	}
	if (t->tree->root != LMDB_PAGE_NONE)
		walk_page(w, t->tree->root, 0, (struct bounds){0});
	if (w->result.error == 0 && w->result.damages == before && !counts_agree(t))
		lmdb_walk_damage(
		    w, "table '%s': its record counts other pages or rows than there are", t->name);
}

void lmdb_walk_tree(struct lmdb_walk *w, const char *name, const struct lmdb_tree *tree,
                    lmdb_row_fn *on_row, void *arg)
{
	walk_tree(w, &(struct tree_walk){.name = name, .tree = tree, .on_row = on_row, .arg = arg});
}

void lmdb_walk_free_pages(struct lmdb_walk *w)
{
	walk_tree(w, &(struct tree_walk){.name = "free pages",
	                                 .tree = &w->meta.free_list,
	                                 .has_numbers = true,
	                                 .on_row = on_free_row});
}

/* ---- meta pages ---- */

static bool read_meta(struct lmdb_walk *w, uint64_t offset, size_t number, struct lmdb_meta *out)
{
	uint8_t bytes[LMDB_PAGE_META_BYTES];
	const char *wrong = "the file is too short for it";

	if (read_at(w, offset, bytes, sizeof(bytes)))
		wrong = lmdb_page_meta_parse(bytes, number, out);
	if (wrong != NULL && w->result.error == 0)
		lmdb_walk_damage(w, "meta page %zu: %s", number, wrong);
	return wrong == NULL && w->result.error == 0;
}

/* Transaction N is written to page N % 2; the other page has the one before it. */
static bool metas_agree(const struct lmdb_meta *a, const struct lmdb_meta *b)
{
	size_t apart = a->transaction > b->transaction ? a->transaction - b->transaction
	                                               : b->transaction - a->transaction;

	return a->free_list.pad == b->free_list.pad && a->transaction % 2 == 0 &&
	       b->transaction % 2 == 1 && apart == 1;
}

/* The meta pages of another version may be elsewhere.  Where the second one is found and is ours,
 * the version in the first is damage. */
static bool is_other_version(struct lmdb_walk *w, struct lmdb_meta metas[LMDB_PAGE_METAS])
{
	uint8_t first[LMDB_PAGE_META_BYTES], second[LMDB_PAGE_META_BYTES];
	uint32_t version;

	if (!read_at(w, 0, first, sizeof(first)))
		return false;
	version = lmdb_page_other_version(first);
	if (version == 0)
		return false;
	(void)lmdb_page_meta_parse(first, 0, &metas[0]);
	if (read_at(w, metas[0].free_list.pad, second, sizeof(second)) &&
	    lmdb_page_meta_parse(second, 1, &metas[1]) == NULL)
		return false;
	w->result.other_version = version;
	return true;
}

bool lmdb_walk_open(struct lmdb_walk *w)
{
	struct lmdb_meta metas[LMDB_PAGE_METAS];

	if (is_other_version(w, metas) || !read_meta(w, 0, 0, &metas[0]) ||
	    !read_meta(w, metas[0].free_list.pad, 1, &metas[1]))
		return false;
	if (!metas_agree(&metas[0], &metas[1])) {
		lmdb_walk_damage(w, "the two meta pages do not match");
		return false;
	}
	w->meta = metas[metas[0].transaction < metas[1].transaction];
	w->page_bytes = w->meta.free_list.pad;
	w->page_count = w->meta.last_page + 1;
	if (w->meta.last_page < 1 ||
	    w->meta.last_page > w->source->size_bytes / w->page_bytes * 2 + (1u << 20)) {
		lmdb_walk_damage(w, "the meta page counts far more pages than the file has");
		return false;
	}
	w->result.transaction = w->meta.transaction;
	w->result.page_bytes = w->page_bytes;
	w->result.pages = w->page_count;
	w->seen = xcalloc(w->page_count / 8 + 1, 1);
	w->chunk = xalloc(CHUNK);
	return true;
}

/* ---- the whole ---- */

struct lmdb_walk *lmdb_walk_new(const struct lmdb_source *source)
{
	struct lmdb_walk *w = xnew(w);

	w->source = source;
	return w;
}

void lmdb_walk_free(struct lmdb_walk *w)
{
	for (size_t i = 0; i < LMDB_PAGE_DEPTH; i++)
		free(w->buffer[i]);
	free(w->chunk);
	free(w->seen);
	free(w);
}

/* The trees jump about in the file, page by page, which disks are slow at. */
void lmdb_walk_fetch(struct lmdb_walk *w)
{
	uint64_t bytes = (uint64_t)w->page_count * w->page_bytes;

	if (w->source->fetch != NULL)
		w->source->fetch(w->source->arg,
		                 bytes < w->source->size_bytes ? bytes : w->source->size_bytes);
}

const struct lmdb_tree *lmdb_walk_main(const struct lmdb_walk *w)
{
	return &w->meta.main;
}

const struct lmdb_walk_result *lmdb_walk_result(const struct lmdb_walk *w)
{
	return &w->result;
}

uint64_t lmdb_walk_lost_pages(const struct lmdb_walk *w)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < w->page_count / 8 + 1; i++)
		seen += (unsigned)__builtin_popcount(w->seen[i]);
	return w->page_count - LMDB_PAGE_METAS - seen;
}
