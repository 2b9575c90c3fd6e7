/* A store as broker-store reads it.  Thread: main. */
#ifndef STORE_TOOL_STORE_SOURCE_H
#define STORE_TOOL_STORE_SOURCE_H

#include "store/store_files.h"

/* A store at rest is read by the verifier, which accepts any bytes; the store of a running broker
 * through LMDB, in one transaction. */
struct store_source {
	const char *path;
	int lock;            /* of a store at rest; -1: nothing to lock */
	long pid;            /* of the broker that runs */
	struct store *store; /* beside a broker */
	uint32_t format;     /* then */
	struct verify_report report;
};

/* False: a broker runs there, whose store is read beside it. */
bool store_source_open(struct store_source *s, const char *path);
void store_source_close(struct store_source *s);
/* At rest: all rows to `row`, then 0 or an exit status. */
int store_source_read(struct store_source *s, verify_row_fn *row, void *arg);
/* Beside a broker: open it.  0 or an exit status. */
int store_source_beside(struct store_source *s);

#endif
