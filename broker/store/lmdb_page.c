/* LMDB's pages, taken apart.  Everything is copied out before it is looked at, so that nothing
 * depends on alignment. */
#include "store/lmdb_page.h"

#include "store/store_backend.h"

#define META_MAGIC       0xBEEFC0DEu
#define META_VERSION     1
#define FREE_LIST_FLAGS  0x0008 /* its keys are numbers */
#define ENV_NO_DIRECTORY 0x4000 /* stands there too, since the file was made */
#define NODE_HEADER      8

_Static_assert(sizeof(struct page_tree) == 8 + 5 * sizeof(size_t), "as LMDB has it");
_Static_assert(sizeof(struct page_meta) == 8 + 4 * sizeof(size_t) + 2 * sizeof(struct page_tree),
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

size_t page_number_read(const uint8_t *bytes)
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

const char *page_meta_parse(const uint8_t bytes[PAGE_META_BYTES], size_t number,
                            struct page_meta *out)
{
	uint32_t size;

	memcpy(out, bytes + PAGE_HEADER, sizeof(*out));
	if (out->magic != META_MAGIC)
		return "it is not an LMDB file of this kind of machine";
	if (out->version != META_VERSION)
		return "it is of another version of LMDB";
	if (page_number_read(bytes) != number || page_flags(bytes) != PAGE_META)
		return "its header is not that of a meta page";
	size = out->free_list.pad;
	if (size < PAGE_SIZE_MIN || size > PAGE_SIZE_MAX || (size & (size - 1)) != 0)
		return "it names an impossible page size";
	if ((out->free_list.flags & ~ENV_NO_DIRECTORY) != FREE_LIST_FLAGS || out->main.flags != 0)
		return "it has unknown flags";
	return NULL;
}

struct page_tree page_tree_read(struct slice record)
{
	struct page_tree t;

	memcpy(&t, record.data, sizeof(t));
	return t;
}

/* ---- branches and leaves ---- */

static unsigned node_at(const struct page *p, unsigned i)
{
	return get_u16(p->bytes + PAGE_HEADER + (size_t)i * 2);
}

/* Bytes of what is in the node behind its key. */
static size_t node_body(const struct page *p, const uint8_t *node)
{
	if (p->flags == PAGE_BRANCH)
		return 0;
	return (get_u16(node + 4) & NODE_BIG) != 0 ? sizeof(size_t) : get_u32(node);
}

/* The largest node that is not put on overflow pages: two fit. */
static size_t node_max(uint32_t page_bytes)
{
	return (((page_bytes - PAGE_HEADER) / 2) & ~(size_t)1) - 2;
}

/* What is wrong with the node at `at`; NULL: nothing, and it has that size. */
static const char *node_check(const struct page *p, unsigned i, size_t *size)
{
	unsigned at = node_at(p, i);
	const uint8_t *node = p->bytes + at;
	size_t key_len;

	if (at % 2 != 0 || at < PAGE_HEADER || at > p->size_bytes - NODE_HEADER)
		return "a row begins outside of the page";
	key_len = get_u16(node + 6);
	if (key_len > STORE_KEY_MAX || (key_len == 0 && (p->flags == PAGE_LEAF || i > 0)))
		return "a key has an impossible length";
	if (p->flags == PAGE_LEAF && (get_u16(node + 4) & ~(NODE_BIG | NODE_TABLE)) != 0)
		return "a row has unknown flags";
	*size = NODE_HEADER + key_len + node_body(p, node);
	if (*size > node_max(p->size_bytes) || *size > p->size_bytes - at)
		return "a row is longer than can be";
	*size = (*size + 1) & ~(size_t)1;
	return NULL;
}

/* From `at` to the end of the page, node by node: are there exactly those of the page? */
static bool nodes_touch(const struct page *p, const struct page_map *map, size_t at)
{
	unsigned count = 0;

	while (at < p->size_bytes && map->size[at / 2] != 0) {
		at += map->size[at / 2];
		count++;
	}
	return at == p->size_bytes && count == p->count;
}

static const char *nodes_check(const struct page *p, struct page_map *map, size_t upper)
{
	const char *wrong = NULL;
	unsigned fine = 0;

	while (fine < p->count) {
		size_t size = 0;

		wrong = node_check(p, fine, &size);
		if (wrong != NULL)
			break;
		map->size[node_at(p, fine++) / 2] = (uint16_t)size;
	}
	if (wrong == NULL && !nodes_touch(p, map, upper))
		wrong = "its rows overlap, or have gaps between them";
	while (fine-- > 0)
		map->size[node_at(p, fine) / 2] = 0;
	return wrong;
}

const char *page_parse(const uint8_t *bytes, uint32_t size_bytes, size_t number,
                       struct page_map *map, struct page *out)
{
	size_t lower = get_u16(bytes + sizeof(size_t) + 4);
	size_t upper = get_u16(bytes + sizeof(size_t) + 6);

	*out = (struct page){.bytes = bytes, .size_bytes = size_bytes, .flags = page_flags(bytes)};
	if (page_number_read(bytes) != number)
		return "it bears another page's number";
	if (out->flags != PAGE_BRANCH && out->flags != PAGE_LEAF)
		return "it is not of the kind that belongs here";
	if (lower <= PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > size_bytes)
		return "its header has impossible bounds";
	out->count = (unsigned)((lower - PAGE_HEADER) / 2);
	return nodes_check(out, map, upper);
}

struct node page_node(const struct page *p, unsigned i)
{
	const uint8_t *at = p->bytes + node_at(p, i);
	struct node n = {.flags = get_u16(at + 4)};

	n.key = slice_of(at + NODE_HEADER, get_u16(at + 6));
	if (p->flags == PAGE_BRANCH) {
		uint64_t child = (uint64_t)n.flags << 32 | get_u32(at);

		n.child = (size_t)(sizeof(size_t) < 8 ? get_u32(at) : child);
		return n;
	}
	n.value_bytes = get_u32(at);
	n.data = slice_of(n.key.data + n.key.len, node_body(p, at));
	return n;
}

/* ---- overflow pages ---- */

size_t page_overflow_count(size_t value_bytes, uint32_t page_bytes)
{
	return (PAGE_HEADER - 1 + value_bytes) / page_bytes + 1;
}

const char *page_overflow_parse(const uint8_t bytes[PAGE_HEADER], size_t number, size_t needed,
                                size_t *count)
{
	*count = get_u32(bytes + sizeof(size_t) + 4);
	if (page_number_read(bytes) != number)
		return "it bears another page's number";
	if (page_flags(bytes) != PAGE_OVERFLOW)
		return "it is not of the kind that belongs here";
	if (*count < needed)
		return "it is too short for its value";
	return NULL;
}
