/* Exponentially weighted averages, for whatever time went by between two updates. */
#include "admin/load_average.h"

#include <math.h>

static const double span_ms[LOAD_SPANS] = {
    [LOAD_1_MIN] = 60e3,
    [LOAD_5_MIN] = 300e3,
    [LOAD_15_MIN] = 900e3,
};

void load_average_update(struct load_average *l, uint64_t total, uint64_t elapsed_ms)
{
	double rate;

	if (elapsed_ms == 0)
		return;
	rate = (double)(total - l->total) * 60e3 / (double)elapsed_ms;
	l->total = total;
	for (int i = 0; i < LOAD_SPANS; i++) {
		double weight = exp(-(double)elapsed_ms / span_ms[i]);

		l->per_minute[i] = rate + weight * (l->per_minute[i] - rate);
	}
}
