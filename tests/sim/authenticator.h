/* What the world does with password checks.  See authenticator.c. */
#ifndef SIM_AUTHENTICATOR_H
#define SIM_AUTHENTICATOR_H

#include "auth/authenticator.h"

size_t authenticator_waiting(const struct authenticator *a);
/* The index-th of those that wait. */
void authenticator_answer(struct authenticator *a, size_t index);

#endif
