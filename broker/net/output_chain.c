/* A list of blocks: filled at the tail, emptied at the head, never moved. */
#include "net/output_chain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define BLOCK_BYTES ((size_t)16384)

struct output_chain_link {
	struct output_chain_link *next;
	size_t cap, at, len; /* bytes [at, len) wait */
	uint8_t bytes[];
};

static void drop_head(struct output_chain *c)
{
	struct output_chain_link *link = c->head;

	c->head = link->next;
	if (c->head == NULL)
		c->tail = NULL;
	free(link);
}

void output_chain_fini(struct output_chain *c)
{
	while (c->head != NULL)
		drop_head(c);
	c->len = 0;
}

static size_t fill_tail(struct output_chain *c, struct slice bytes)
{
	struct output_chain_link *tail = c->tail;
	size_t space = tail == NULL ? 0 : tail->cap - tail->len;
	size_t n = space < bytes.len ? space : bytes.len;

	if (n > 0) {
		memcpy(tail->bytes + tail->len, bytes.data, n);
		tail->len += n;
	}
	return n;
}

static void add_link(struct output_chain *c, size_t want)
{
	size_t cap = want < BLOCK_BYTES ? BLOCK_BYTES : want;
	struct output_chain_link *link = xalloc(sizeof(*link) + cap);

	*link = (struct output_chain_link){.cap = cap};
	if (c->tail == NULL)
		c->head = link;
	else
		c->tail->next = link;
	c->tail = link;
}

void output_chain_put(struct output_chain *c, struct slice bytes)
{
	c->len += bytes.len;
	bytes = slice_skip(bytes, fill_tail(c, bytes));
	if (bytes.len == 0)
		return;
	add_link(c, bytes.len);
	(void)fill_tail(c, bytes);
}

size_t output_chain_peek(const struct output_chain *c, struct iovec *pieces, size_t max)
{
	size_t n = 0;

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
		size_t here = link->len - link->at;

		if (n < here) {
			link->at += n;
			return;
		}
		n -= here;
		drop_head(c);
	}
}
