/* Both kinds of arrivals are laid out on an axis on which one is expected in each unit; where a
 * unit ends in time follows from the rate and its growth. */
#include "schedule.h"

#include <math.h>

#include "base/require.h"

/* When `at` of them are expected to have happened. With a ramp of T seconds to the rate R these are
 * R t^2 / 2T until T, and R (t - T/2) from there on. */
static uint64_t time_ns(const struct schedule_options *o, double at)
{
	double in_ramp = o->rate * o->ramp_s / 2;
	double seconds =
	    at < in_ramp ? sqrt(2 * o->ramp_s * at / o->rate) : at / o->rate + o->ramp_s / 2;

	return (uint64_t)(seconds * 1e9);
}

double schedule_expected(const struct schedule_options *options, double until_ns)
{
	double seconds = until_ns / 1e9, ramp_s = options->ramp_s;

	return seconds < ramp_s ? options->rate * seconds * seconds / (2 * ramp_s)
	                        : options->rate * (seconds - ramp_s / 2);
}

/* Independent sources of the same rate are one Poisson process whose events come from any of
 * them. */
static void draw(struct schedule *s)
{
	const struct schedule_options *o = &s->options;

	if (o->arrivals == ARRIVALS_POISSON) {
		s->at -= log(prng_unit(&s->prng));
		s->source = (size_t)prng_below(&s->prng, o->count);
	} else {
		s->at = (double)s->number + o->offset;
		s->source = (size_t)(s->number % o->count);
	}
	s->due_ns = time_ns(o, s->at);
}

void schedule_init(struct schedule *s, const struct schedule_options *options)
{
	REQUIRE(options->rate > 0 && options->count > 0 && options->ramp_s >= 0);
	*s = (struct schedule){.options = *options, .prng.state = options->seed};
	draw(s);
}

void schedule_advance(struct schedule *s)
{
	s->number++;
	draw(s);
}
