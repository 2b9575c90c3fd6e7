/* When things are due: fixed by rate and seed before the first one happens, whatever the broker
 * does meanwhile (open loop).  Who counts from these times, and not from when something could
 * be sent, does not leave out the waiting that a slow broker causes (coordinated omission).  Pure.
 * Thread: the owner's. */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "prng.h"

enum arrivals {
	ARRIVALS_CONSTANT, /* the same time between any two, each source in its turn */
	ARRIVALS_POISSON,  /* as of many independent sources */
};

struct schedule_options {
	enum arrivals arrivals;
	double rate;   /* a second, of all sources; above 0 */
	size_t count;  /* of sources; above 0 */
	double ramp_s; /* so long the rate grows, from nothing */
	double offset; /* of the first one: a part (0 to 1) of the distance between two */
	uint64_t seed;
};

struct schedule {
	struct schedule_options options;
	struct prng prng;
	uint64_t due_ns; /* of the next one, from the start */
	size_t source;   /* of the next one */
	uint64_t number; /* of the next one, from 0 */
	double at;       /* how many were expected until it */
};

void schedule_init(struct schedule *s, const struct schedule_options *options);
/* The next one has happened: go on to the one after it. */
void schedule_advance(struct schedule *s);
/* How many are due before `until_ns`, were there no chance. */
double schedule_expected(const struct schedule_options *options, double until_ns);

#endif
