/* What a measured payload begins with: whose it is, its number, and when it was due.  Pure. */
#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include "base/bytes.h"

/* The smallest payload that can be measured. */
#define STAMP_BYTES 24u

struct stamp {
	uint32_t run;       /* tells messages of this run from those retained or queued by others */
	uint32_t publisher; /* from 0 */
	uint32_t sequence;  /* from 0, of this publisher */
	uint64_t due_ns;    /* monotonic */
};

/* Write STAMP_BYTES to `out`. */
void stamp_write(uint8_t *out, const struct stamp *stamp);
/* False: the payload does not begin with one. */
bool stamp_read(struct slice payload, struct stamp *out);

#endif
