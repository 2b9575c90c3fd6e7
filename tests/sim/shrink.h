/* A plan that fails, made smaller while it still fails. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "plan.h"

void shrink(struct plan *plan);
/* Once more, so that what was wrong is printed. */
void shrink_show(const struct plan *plan);

#endif
