/* Numbers that look random and are the same for the same seed (SplitMix64).  Not for secrets.
 * Thread: the owner's. */
#ifndef BENCH_PRNG_H
#define BENCH_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state;
};

static inline uint64_t prng_next(struct prng *p)
{
	uint64_t z = (p->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to count - 1; count is not 0, and so small that the remainder of 64 bits favours nobody. */
static inline uint64_t prng_below(struct prng *p, uint64_t count)
{
	return prng_next(p) % count;
}

/* Above 0, at most 1. */
static inline double prng_unit(struct prng *p)
{
	return ((double)(prng_next(p) >> 11) + 1) * 0x1p-53;
}

#endif
