/* The actors execute a plan in a world, and the model checks what they see. */
#ifndef SIM_ACTORS_H
#define SIM_ACTORS_H

#include "coverage.h"
#include "plan.h"

/* Returns if broker and model agree to the end; exits the process otherwise. `report`: print
 * each step before it is done. */
void actors_live(const struct plan *plan, struct coverage *coverage, bool report);

#endif
