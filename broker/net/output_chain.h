/* The output chain: bytes that the kernel did not take yet.  It exists only while there are some:
 * an empty chain owns nothing.  Thread: whoever holds it. */
#ifndef NET_OUTPUT_CHAIN_H
#define NET_OUTPUT_CHAIN_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/bytes.h"

struct chain_link;

/* Zero-initialised is empty. */
struct chain {
	struct chain_link *head, *tail;
	size_t len; /* bytes in all */
};

void chain_fini(struct chain *c); /* empty and usable again */
void chain_put(struct chain *c, struct slice bytes);
/* The first bytes as at most `max` pieces; returns how many. Borrowed until the chain changes. */
size_t chain_peek(const struct chain *c, struct iovec *pieces, size_t max);
void chain_consume(struct chain *c, size_t n);

#endif
