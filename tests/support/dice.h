/* A seeded stream of small numbers for the random walks of these tests. */
#ifndef TESTS_SUPPORT_DICE_H
#define TESTS_SUPPORT_DICE_H

#include <stdint.h>

struct dice {
	uint64_t state; /* not 0 */
};

/* xorshift64* (Marsaglia 2003, Vigna 2014) */
static inline uint64_t dice_next(struct dice *d)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return d->state * 0x2545f4914f6cdd1du;
}

/* 0 to n - 1 */
static inline unsigned dice_roll(struct dice *d, unsigned n)
{
	return (unsigned)(dice_next(d) >> 33) % n;
}

#endif
