/* Bucket n below 16 counts the number n; each power of two from 16 on is sixteen buckets. */
#include "base/histogram.h"

#include "base/require.h"

#define STEPS      16
#define STEPS_BITS 4

_Static_assert(HISTOGRAM_BUCKETS == (64 - STEPS_BITS + 1) * STEPS, "up to the largest number");

static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < STEPS)
		return (unsigned)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - STEPS_BITS;
	return (shift + 1) * STEPS + (unsigned)((value >> shift) - STEPS);
}

static uint64_t middle_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < STEPS)
		return bucket;
	shift = bucket / STEPS - 1;
	return ((uint64_t)(STEPS + bucket % STEPS) << shift) + (((uint64_t)1 << shift) - 1) / 2;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[bucket_of(value)]++;
	h->total++;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
	uint64_t wanted, seen = 0;
	unsigned bucket = 0;

	REQUIRE(percent > 0 && percent <= 100);
	if (h->total == 0)
		return 0;
	wanted = h->total / 100 * percent + (h->total % 100 * percent + 99) / 100;
	while ((seen += h->counts[bucket]) < wanted)
		bucket++;
	return middle_of(bucket);
}
