/* Decoding of LMDB's pages.  Everything is copied out before it is read, so that nothing depends on
 * alignment. */
#include "store/lmdb_page.h"

#include "base/require.h"

#define META_MAGIC       0xBEEFC0DEu
#define FREE_LIST_FLAGS  0x0008 /* its keys are numbers */
#define ENV_NO_DIRECTORY 0x4000 /* also set, since the file was made */
#define NODE_HEADER      8

_Static_assert(sizeof(struct lmdb_tree) == 8 + 5 * sizeof(size_t), "as LMDB has it");
_Static_assert(sizeof(struct lmdb_meta) == 8 + 4 * sizeof(size_t) + 2 * sizeof(struct lmdb_tree),
               "as LMDB has it");

static uint16_t get_u16(const uint8_t *bytes)
{
	uint16_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint32_t get_u32(const uint8_t *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

size_t lmdb_page_number_read(const uint8_t *bytes)
{
	size_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint16_t page_flags(const uint8_t *bytes)
{
	return get_u16(bytes + sizeof(size_t) + 2);
}

/* ---- meta pages ---- */

uint32_t lmdb_page_other_version(const uint8_t bytes[LMDB_PAGE_META_BYTES])
{
	uint32_t magic = get_u32(bytes + LMDB_PAGE_HEADER);
	uint32_t version = get_u32(bytes + LMDB_PAGE_HEADER + sizeof(magic));

	return magic == META_MAGIC && version != LMDB_PAGE_VERSION ? version : 0;
}

const char *lmdb_page_meta_parse(const uint8_t bytes[LMDB_PAGE_META_BYTES], size_t number,
                                 struct lmdb_meta *out)
{
	uint32_t size;

	memcpy(out, bytes + LMDB_PAGE_HEADER, sizeof(*out));
	if (out->magic != META_MAGIC)
		return "it is not an LMDB file of this kind of machine";
	if (out->version != LMDB_PAGE_VERSION)
		return "it is of another version of LMDB";
	if (lmdb_page_number_read(bytes) != number || page_flags(bytes) != LMDB_PAGE_META)
		return "its header is not that of a meta page";
	size = out->free_list.pad;
	if (size < LMDB_PAGE_SIZE_MIN || size > LMDB_PAGE_SIZE_MAX || (size & (size - 1)) != 0)
		return "it names an impossible page size";
	if ((out->free_list.flags & ~ENV_NO_DIRECTORY) != FREE_LIST_FLAGS || out->main.flags != 0)
		return "it has unknown flags";
	return NULL;
}

struct lmdb_tree lmdb_page_tree_read(struct slice record)
{
	struct lmdb_tree t;

	memcpy(&t, record.data, sizeof(t));
	return t;
}

/* ---- branches and leaves ---- */

static unsigned node_at(const struct lmdb_page *p, unsigned i)
{
	return get_u16(p->bytes + LMDB_PAGE_HEADER + (size_t)i * 2);
}

/* Bytes in the node after its key. */
static size_t node_body(const struct lmdb_page *p, const uint8_t *node)
{
	if (p->flags == LMDB_PAGE_BRANCH)
		return 0;
	return (get_u16(node + 4) & LMDB_NODE_BIG) != 0 ? sizeof(size_t) : get_u32(node);
}

/* The largest node that is not put on overflow pages: two fit. */
static size_t node_max(uint32_t page_bytes)
{
	return (((page_bytes - LMDB_PAGE_HEADER) / 2) & ~(size_t)1) - 2;
}

/* What is wrong with the node at `at`; NULL: nothing, and it has that size. */
static const char *node_check(const struct lmdb_page *p, unsigned i, size_t *size)
{
	unsigned at = node_at(p, i);
	const uint8_t *node = p->bytes + at;
	size_t key_len;

	if (at % 2 != 0 || at < LMDB_PAGE_HEADER || at > p->size_bytes - NODE_HEADER)
		return "a row begins outside of the page";
	key_len = get_u16(node + 6);
	if (key_len > LMDB_PAGE_KEY_MAX || (key_len == 0 && (p->flags == LMDB_PAGE_LEAF || i > 0)))
		return "a key has an impossible length";
	if (p->flags == LMDB_PAGE_LEAF &&
	    (get_u16(node + 4) & ~(LMDB_NODE_BIG | LMDB_NODE_TREE)) != 0)
		return "a row has unknown flags";
	*size = NODE_HEADER + key_len + node_body(p, node);
	if (*size > node_max(p->size_bytes) || *size > p->size_bytes - at)
		return "a row is too long";
	*size = (*size + 1) & ~(size_t)1;
	return NULL;
}

/* From `at` to the end of the page, node by node: are there exactly those of the page? */
static bool nodes_touch(const struct lmdb_page *p, const struct lmdb_page_map *map, size_t at)
{
	unsigned count = 0;

	while (at < p->size_bytes && map->size[at / 2] != 0) {
		at += map->size[at / 2];
		count++;
	}
	return at == p->size_bytes && count == p->count;
}

const char *lmdb_page_parse(const uint8_t *bytes, uint32_t size_bytes, size_t number,
                            struct lmdb_page_map *map, struct lmdb_page *out)
{
	size_t lower = get_u16(bytes + sizeof(size_t) + 4);
	size_t upper = get_u16(bytes + sizeof(size_t) + 6);
	const char *wrong = NULL;
	unsigned fine = 0;

	*out = (struct lmdb_page){
	    .bytes = bytes, .size_bytes = size_bytes, .flags = page_flags(bytes)};
	if (lmdb_page_number_read(bytes) != number)
		return "it has another page's number";
	if (out->flags != LMDB_PAGE_BRANCH && out->flags != LMDB_PAGE_LEAF)
		return "it is of the wrong kind";
	if (lower <= LMDB_PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > size_bytes)
		return "its header has impossible bounds";
	out->count = (unsigned)((lower - LMDB_PAGE_HEADER) / 2);
	while (fine < out->count) {
		size_t size = 0;

		wrong = node_check(out, fine, &size);
		if (wrong != NULL)
			break;
		map->size[node_at(out, fine++) / 2] = (uint16_t)size;
	}
	if (wrong == NULL && !nodes_touch(out, map, upper))
		wrong = "its rows overlap, or have gaps between them";
	while (fine-- > 0)
		map->size[node_at(out, fine) / 2] = 0;
	return wrong;
}

struct lmdb_node lmdb_page_node(const struct lmdb_page *p, unsigned i)
{
	const uint8_t *at;
	struct lmdb_node n = {0};

	REQUIRE(i < p->count);
	at = p->bytes + node_at(p, i);
	n.flags = get_u16(at + 4);
	n.key = slice_of(at + NODE_HEADER, get_u16(at + 6));
	if (p->flags == LMDB_PAGE_BRANCH) {
		uint64_t child = (uint64_t)n.flags << 32 | get_u32(at);

		n.child = (size_t)(sizeof(size_t) < 8 ? get_u32(at) : child);
		return n;
	}
	n.value_bytes = get_u32(at);
	n.data = slice_of(n.key.data + n.key.len, node_body(p, at));
	return n;
}

/* ---- overflow pages ---- */

size_t lmdb_page_overflow_count(size_t value_bytes, uint32_t page_bytes)
{
	return (LMDB_PAGE_HEADER - 1 + value_bytes) / page_bytes + 1;
}

const char *lmdb_page_overflow_parse(const uint8_t bytes[LMDB_PAGE_HEADER], size_t number,
                                     size_t needed, size_t *count)
{
	*count = get_u32(bytes + sizeof(size_t) + 4);
	if (lmdb_page_number_read(bytes) != number)
		return "it has another page's number";
	if (page_flags(bytes) != LMDB_PAGE_OVERFLOW)
		return "it is of the wrong kind";
	if (*count < needed)
		return "it is too short for its value";
	return NULL;
}
