/* A walk through a file of LMDB, without LMDB: from the newest meta page down each tree.  It knows
 * one version of the format (LMDB_PAGE_VERSION) and says so when it meets another.  Each page is
 * checked: that it is in the file, used once, of the right kind, with its keys in order.  What the
 * rows are is the caller's business.
 *
 * LMDB has no checksums and believes every number in its file: on a damaged one it crashes or
 * returns wrong data.  The walk reads with a function of the caller's into memory of its own, and
 * maps nothing: there is no SIGBUS where the file ends too early.  A page that is wrong is reported
 * and left; the others are still read, so that a damaged file gives what it can.  Whatever the
 * bytes are, it returns.  Memory: a bit for each page. */
#ifndef STORE_LMDB_WALK_H
#define STORE_LMDB_WALK_H

#include "store/lmdb_page.h"

/* Where the bytes are. */
struct lmdb_source {
	uint64_t size_bytes;
	/* Exactly these; 0 or -errno. Never asked for bytes after the end. */
	int (*read)(void *arg, uint64_t offset, void *out, size_t len);
	/* So many from the beginning will be read, in another order. NULL: fine. */
	void (*fetch)(void *arg, uint64_t bytes);
	void *arg;
};

#define LMDB_WALK_TEXT 512

struct lmdb_walk_result {
	int error;                 /* of reading, -errno: ended everything */
	uint64_t damages;          /* found */
	char text[LMDB_WALK_TEXT]; /* the first of them */
	uint32_t other_version;    /* of the format, which the walk does not know; 0: its own */
	uint64_t transaction;      /* of the newest meta page */
	uint64_t page_bytes, pages, pages_free;
};

struct lmdb_walk;

/* A row of a tree: NULL, or what is wrong with it.  Its value is node->data, or where LMDB_NODE_BIG
 * lmdb_walk_read_value has it. */
typedef const char *lmdb_row_fn(void *arg, struct lmdb_walk *w, const struct lmdb_node *node);

struct lmdb_walk *lmdb_walk_new(const struct lmdb_source *source); /* borrowed */
void lmdb_walk_free(struct lmdb_walk *w);
/* The meta pages. False: there is nothing to walk. */
bool lmdb_walk_open(struct lmdb_walk *w);
/* All of the file will be read. */
void lmdb_walk_fetch(struct lmdb_walk *w);
/* The tree that holds the records of the others. */
const struct lmdb_tree *lmdb_walk_main(const struct lmdb_walk *w);
/* Each row of a tree that is not damaged, in order. */
void lmdb_walk_tree(struct lmdb_walk *w, const char *name, const struct lmdb_tree *tree,
                    lmdb_row_fn *on_row, void *arg);
/* The list of free pages. */
void lmdb_walk_free_pages(struct lmdb_walk *w);

/* For a row function: a value on pages of its own, piece by piece.  False: it cannot be read, which
 * is reported. */
typedef void lmdb_piece_fn(void *arg, const uint8_t *bytes, size_t len);
bool lmdb_walk_read_value(struct lmdb_walk *w, const struct lmdb_node *node, lmdb_piece_fn *piece,
                          void *arg);

/* Report damage. */
__attribute__((format(printf, 2, 3))) void lmdb_walk_damage(struct lmdb_walk *w, const char *format,
                                                            ...);
const struct lmdb_walk_result *lmdb_walk_result(const struct lmdb_walk *w);
/* Pages that neither a tree nor the list of free pages names, after everything was walked. */
uint64_t lmdb_walk_lost_pages(const struct lmdb_walk *w);

#endif
