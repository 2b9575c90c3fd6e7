/* A histogram of magnitudes: buckets whose width is a sixteenth of what they count, from zero
 * to the largest number, in a few kilobytes.  Zeroed is empty. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 976

struct histogram {
	uint64_t total;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The percentile `percent` (1 to 100): the middle of a bucket, with an error of at most 1/32. 0:
 * there are no values. */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);

#endif
