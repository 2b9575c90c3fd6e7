/* TLS handshakes on a loop, by how they ended.  Thread: counted by the loop's, read by any. */
#ifndef NET_TLS_COUNTS_H
#define NET_TLS_COUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/latency.h"

enum tls_refusal {
	TLS_REFUSAL_PLAINTEXT, /* the first bytes were no TLS */
	TLS_REFUSAL_GONE,      /* the client closed the connection */
	TLS_REFUSAL_ALERT,     /* the client gave up: it may not trust the certificate */
	TLS_REFUSAL_BROKER,    /* nothing in common, or the client's certificate is refused */
	TLS_REFUSAL_EXCESS,    /* too much work without data */
	TLS_REFUSALS
};

struct tls_counts {
	/* By version (1.2, 1.3), and whether a session was resumed. */
	_Atomic uint64_t done[2][2];
	_Atomic uint64_t refused[TLS_REFUSALS];
	/* From the first bytes to the end of those that succeeded, in tenths of a millisecond. */
	_Atomic uint64_t seconds[LATENCY_CELLS];
};

/* One writer. */
static inline void tls_counts_add(_Atomic uint64_t *count)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
}

#endif
