/* Chance from a seed: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H

#include <stdint.h>

static inline uint64_t chance_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* `below` is not 0. */
static inline uint64_t chance_below(uint64_t *state, uint64_t below)
{
	return chance_next(state) % below;
}

#endif
