/* A histogram of magnitudes: buckets whose width is a fixed fraction of what they count, from zero
 * to the largest number. Thread: the owner's. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

/* How many bits of a number are told apart: a bucket is at most 1/16 of what it counts (8 kB in
 * all), or 1/1024: three digits (440 kB). */
enum histogram_precision {
	HISTOGRAM_COARSE = 4,
	HISTOGRAM_FINE = 10,
};

struct histogram {
	enum histogram_precision precision;
	uint64_t total, sum, max;
	uint64_t *counts; /* of buckets */
};

void histogram_init(struct histogram *h, enum histogram_precision precision);
void histogram_fini(struct histogram *h);
/* Forget all values. */
void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
/* Add all values of `from`, which has the same precision. */
void histogram_merge(struct histogram *h, const struct histogram *from);

/* A percentile in thousandths of a percent. */
#define HISTOGRAM_PERCENT UINT64_C(1000)
/* The percentile `percentile` (1 to 100 * HISTOGRAM_PERCENT): the middle of a bucket, never more
 * than the largest value; the error is at most half a bucket. 0: there are no values. */
uint64_t histogram_percentile(const struct histogram *h, uint64_t percentile);
/* 0: there are no values. */
uint64_t histogram_mean(const struct histogram *h);

#endif
