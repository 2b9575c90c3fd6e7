/* What the world does with password checks.  See authenticator.c. */
#ifndef SIM_AUTHENTICATOR_H
#define SIM_AUTHENTICATOR_H

#include "auth/authenticator.h"

/* A login whose password was right, and that fails all the same, fails so much later. 0 unless
 * set. */
void authenticator_set_failure_ms(struct authenticator *a, unsigned ms);

size_t authenticator_waiting(const struct authenticator *a);
/* The index-th of those that wait. */
void authenticator_answer(struct authenticator *a, size_t index);

#endif
