/* The people carry out a plan in a world, and the model looks on. */
#ifndef SIM_ACTORS_H
#define SIM_ACTORS_H

#include "coverage.h"
#include "plan.h"

/* Returns where broker and model agree to the end; leaves the process otherwise. `tell`: each step
 * is printed before it is done. */
void actors_live(const struct plan *plan, struct coverage *coverage, bool report);

#endif
