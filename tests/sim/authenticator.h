/* How the world drives password checks. See authenticator.c. */
#ifndef SIM_AUTHENTICATOR_H
#define SIM_AUTHENTICATOR_H

#include "auth/authenticator.h"

/* A login with the correct password that fails for another reason is refused this much later. 0
 * unless set. */
void authenticator_set_failure_ms(struct authenticator *a, unsigned ms);

size_t authenticator_waiting(const struct authenticator *a);
/* The index-th of the waiting questions. */
void authenticator_answer(struct authenticator *a, size_t index);

#endif
