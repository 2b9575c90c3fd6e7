/* Where a number has at most `precision` bits, its bucket is for it alone; each power of two from
 * there on is 2^precision buckets. */
#include "base/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"

static uint64_t steps_of(const struct histogram *h)
{
	return (uint64_t)1 << h->precision;
}

static size_t bucket_count(const struct histogram *h)
{
	return (size_t)((64 - (unsigned)h->precision + 1) * steps_of(h));
}

static size_t bucket_of(const struct histogram *h, uint64_t value)
{
	uint64_t steps = steps_of(h);
	unsigned shift;

	if (value < steps)
		return (size_t)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - (unsigned)h->precision;
	return (size_t)((shift + 1) * steps + ((value >> shift) - steps));
}

static uint64_t middle_of(const struct histogram *h, size_t bucket)
{
	uint64_t steps = steps_of(h);
	uint64_t shift;

	if (bucket < steps)
		return bucket;
	shift = (bucket >> h->precision) - 1;
	REQUIRE(shift < 64 - (unsigned)h->precision);
	return ((steps + (bucket & (steps - 1))) << shift) + (((uint64_t)1 << shift) - 1) / 2;
}

void histogram_init(struct histogram *h, enum histogram_precision precision)
{
	*h = (struct histogram){.precision = precision};
	h->counts = xcalloc(bucket_count(h), sizeof(*h->counts));
}

void histogram_fini(struct histogram *h)
{
	free(h->counts);
	h->counts = NULL;
}

void histogram_clear(struct histogram *h)
{
	h->total = h->sum = h->max = 0;
	memset(h->counts, 0, bucket_count(h) * sizeof(*h->counts));
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[bucket_of(h, value)]++;
	h->total++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	REQUIRE(h->precision == from->precision);
	for (size_t i = 0; i < bucket_count(h); i++)
		h->counts[i] += from->counts[i];
	h->total += from->total;
	h->sum += from->sum;
	if (from->max > h->max)
		h->max = from->max;
}

uint64_t histogram_percentile(const struct histogram *h, uint64_t percentile)
{
	const uint64_t all = 100 * HISTOGRAM_PERCENT;
	uint64_t wanted, value, seen = 0;
	size_t bucket = 0;

	REQUIRE(percentile > 0 && percentile <= all);
	if (h->total == 0)
		return 0;
	wanted = h->total / all * percentile + (h->total % all * percentile + all - 1) / all;
	while ((seen += h->counts[bucket]) < wanted)
		bucket++;
	value = middle_of(h, bucket);
	return value < h->max ? value : h->max;
}

uint64_t histogram_mean(const struct histogram *h)
{
	return h->total == 0 ? 0 : h->sum / h->total;
}
