/* The format of LMDB's file, as far as a check without LMDB needs it: version 1 (LMDB 0.9), with
 * this machine's byte order and word size.  Pure: bytes in, structs or what is wrong out; nothing
 * outside of the page is read. */
#ifndef STORE_LMDB_PAGE_H
#define STORE_LMDB_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define LMDB_PAGE_VERSION  1   /* of the format, as MDB_DATA_VERSION */
#define LMDB_PAGE_KEY_MAX  511 /* bytes */
#define LMDB_PAGE_SIZE_MIN 512
#define LMDB_PAGE_SIZE_MAX 32768
#define LMDB_PAGE_NONE     SIZE_MAX /* the root of an empty tree */
#define LMDB_PAGE_METAS    2        /* pages 0 and 1 */
#define LMDB_PAGE_DEPTH    32       /* of a tree, at most */
#define LMDB_PAGE_HEADER   (sizeof(size_t) + 8)

#define LMDB_PAGE_BRANCH   0x01
#define LMDB_PAGE_LEAF     0x02
#define LMDB_PAGE_OVERFLOW 0x04
#define LMDB_PAGE_META     0x08

#define LMDB_NODE_BIG  0x01 /* the value is on overflow pages */
#define LMDB_NODE_TREE 0x02 /* the value is a tree of its own */

/* A tree, as in the file. */
struct lmdb_tree {
	uint32_t pad; /* of the free list's tree: the page size */
	uint16_t flags;
	uint16_t depth;
	size_t branch_pages, leaf_pages, overflow_pages;
	size_t entries;
	size_t root;
};

/* A meta page, as in the file after the header. */
struct lmdb_meta {
	uint32_t magic, version;
	size_t address, map_bytes;
	struct lmdb_tree free_list, main;
	size_t last_page;
	size_t transaction;
};

#define LMDB_PAGE_META_BYTES (LMDB_PAGE_HEADER + sizeof(struct lmdb_meta))

struct lmdb_page {
	const uint8_t *bytes;
	uint32_t size_bytes;
	uint16_t flags;
	unsigned count; /* of nodes */
};

struct lmdb_node {
	struct slice key;
	uint16_t flags;
	size_t child;      /* branch: the page below */
	struct slice data; /* leaf: the value, or where LMDB_NODE_BIG its first page's number */
	uint32_t value_bytes;
};

/* Where the nodes of a page begin, to check that they are contiguous; zeroed, one for all pages. */
struct lmdb_page_map {
	uint16_t size[LMDB_PAGE_SIZE_MAX / 2];
};

/* The version in the meta page of a file of LMDB, where it is another than ours; 0: it is ours, or
 * this is no such file. */
uint32_t lmdb_page_other_version(const uint8_t bytes[LMDB_PAGE_META_BYTES]);
/* NULL: fine; otherwise what is wrong, in a few words. */
const char *lmdb_page_meta_parse(const uint8_t bytes[LMDB_PAGE_META_BYTES], size_t number,
                                 struct lmdb_meta *out);
/* A branch or leaf page. */
const char *lmdb_page_parse(const uint8_t *bytes, uint32_t size_bytes, size_t number,
                            struct lmdb_page_map *map, struct lmdb_page *out);
/* Of a page that lmdb_page_parse has accepted. */
struct lmdb_node lmdb_page_node(const struct lmdb_page *p, unsigned i);
/* A tree's record, of exactly its size. */
struct lmdb_tree lmdb_page_tree_read(struct slice record);
size_t lmdb_page_number_read(const uint8_t *bytes);
/* The header of the first overflow page of a value.  A value that became shorter keeps its pages.
 */
const char *lmdb_page_overflow_parse(const uint8_t bytes[LMDB_PAGE_HEADER], size_t number,
                                     size_t needed, size_t *count);
/* How many pages a value of that size needs. */
size_t lmdb_page_overflow_count(size_t value_bytes, uint32_t page_bytes);

#endif
