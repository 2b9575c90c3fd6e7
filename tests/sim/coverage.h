/* Counts what was exercised, to show what never was. Shared by all processes of one run. */
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#define COVERAGE_POINTS 128

struct coverage {
	uint64_t worlds, steps, turns, quiets;
	uint64_t sent[16], received[16]; /* packets by type */
	uint64_t reasons[16][256];       /* reason codes received, by packet type */
	uint64_t points[COVERAGE_POINTS];
};

/* Invariants that were checked, and events that happened: rows of coverage.def. */
enum coverage_point {
#define POINT(id, text) POINT_##id,
#include "coverage.def"
#undef POINT
	POINT_COUNT
};
_Static_assert(POINT_COUNT <= COVERAGE_POINTS, "as many as there are places");

#define COVER(model, id) ((model)->coverage->points[POINT_##id]++)

void coverage_add(struct coverage *to, const struct coverage *more);
/* quiet: in one line, and what never happened. */
void coverage_print(const struct coverage *c, double seconds, bool quiet);

#endif
