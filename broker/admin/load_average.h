/* Moving averages: how much there was per minute, over the last one, five and fifteen minutes, with
 * the most weight on the newest.  It has no clock of its own.  Thread: the owner's. */
#ifndef ADMIN_LOAD_AVERAGE_H
#define ADMIN_LOAD_AVERAGE_H

#include <stdint.h>

enum load_span { LOAD_1_MIN, LOAD_5_MIN, LOAD_15_MIN, LOAD_SPANS };

/* Zero-initialised. */
struct load_average {
	uint64_t total; /* at the last update */
	double per_minute[LOAD_SPANS];
};

/* `total` of a counter that only grows, `elapsed_ms` after the last update. */
void load_average_update(struct load_average *l, uint64_t total, uint64_t elapsed_ms);

#endif
