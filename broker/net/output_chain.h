/* The output chain: bytes that the kernel did not take yet.  It exists only while there are some:
 * an empty chain owns nothing.  Thread: its holder. */
#ifndef NET_OUTPUT_CHAIN_H
#define NET_OUTPUT_CHAIN_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/bytes.h"

struct output_chain_link;

/* Zero-initialised is empty. */
struct output_chain {
	struct output_chain_link *head;
	size_t len; /* bytes in all */
};

void output_chain_fini(struct output_chain *c); /* empty and usable again */
void output_chain_put(struct output_chain *c, struct slice bytes);
/* The first bytes as at most `max` pieces; returns how many. Borrowed until the chain changes. */
size_t output_chain_peek(const struct output_chain *c, struct iovec *pieces, size_t max);
void output_chain_consume(struct output_chain *c, size_t n);

#endif
