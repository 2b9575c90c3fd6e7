/* A list of blocks: filled at the tail, emptied at the head, never moved. */
#include "net/output_chain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/require.h"

#define BLOCK_BYTES ((size_t)16384)

struct output_chain_link {
	struct output_chain_link *prev, *next;
	size_t cap, at, len; /* bytes [at, len) wait */
	uint8_t bytes[];
};

static void drop_head(struct output_chain *c)
{
	struct output_chain_link *link = c->head;

	DL_DELETE(c->head, link);
	free(link);
}

void output_chain_fini(struct output_chain *c)
{
	while (c->head != NULL)
		drop_head(c);
	c->len = 0;
}

static void fill_link(struct output_chain_link *link, struct slice bytes)
{
	REQUIRE(bytes.len <= link->cap - link->len);
	memcpy(link->bytes + link->len, bytes.data, bytes.len);
	link->len += bytes.len;
}

void output_chain_put(struct output_chain *c, struct slice bytes)
{
	struct output_chain_link *tail = c->head == NULL ? NULL : c->head->prev, *link;
	size_t space = tail == NULL ? 0 : tail->cap - tail->len;
	size_t n = space < bytes.len ? space : bytes.len, cap;

	c->len += bytes.len;
	if (n > 0)
		fill_link(tail, slice_of(bytes.data, n));
	bytes = slice_skip(bytes, n);
	if (bytes.len == 0)
		return;
	cap = bytes.len < BLOCK_BYTES ? BLOCK_BYTES : bytes.len;
	link = xalloc(sizeof(*link) + cap);
	*link = (struct output_chain_link){.cap = cap};
	fill_link(link, bytes);
	/* the analyzer does not know that the first of a list has a last
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	DL_APPEND(c->head, link);
}

size_t output_chain_peek(const struct output_chain *c, struct iovec *pieces, size_t max)
{
	size_t n = 0;

	REQUIRE((c->head == NULL) == (c->len == 0));
	for (struct output_chain_link *link = c->head; link != NULL && n < max; link = link->next) {
		pieces[n++] = (struct iovec){.iov_base = link->bytes + link->at,
		                             .iov_len = link->len - link->at};
	}
	return n;
}

void output_chain_consume(struct output_chain *c, size_t n)
{
	REQUIRE(n <= c->len);
	c->len -= n;
	while (n > 0) {
		struct output_chain_link *link = c->head;
		size_t here;

		REQUIRE(link != NULL); /* the links hold c->len bytes */
		here = link->len - link->at;
		if (n < here) {
			link->at += n;
			return;
		}
		n -= here;
		drop_head(c);
	}
}
