/* Was the generator the limit, and not the broker?  From what it observed of itself.  Pure. */
#ifndef BENCH_SELF_CHECK_H
#define BENCH_SELF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct self_check {
	double busy;          /* of its busiest thread: the share of one core, 0 to 1 */
	double waited;        /* of the thread that waited most for a core: the share of the time */
	uint64_t due;         /* what the schedule said; 0: there was none */
	uint64_t begun;       /* of those, what the generator came to */
	uint64_t late_p99_ns; /* between due and begun: on the generator's account alone */
	uint64_t latency_p99_ns; /* what was measured; 0: nothing */
	double rate; /* of a closed loop: messages or connects a second; 0: a schedule says it */
	const struct self_check *alone; /* of the same against a null sink; NULL: not measured */
};

/* Append a reason for each that applies, separated by "; ". True: there is one. */
bool self_check(const struct self_check *c, struct buf *reasons);

#endif
