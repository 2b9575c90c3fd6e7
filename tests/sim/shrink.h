/* Shrinks a plan that fails while it still fails. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "plan.h"

void shrink(struct plan *plan);
/* Run it once more, to print what was wrong. */
void shrink_show(const struct plan *plan);

#endif
