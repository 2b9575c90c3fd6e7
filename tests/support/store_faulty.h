/* A backend that passes everything on to another one, and fails at a given call. */
#ifndef TESTS_SUPPORT_STORE_FAULTY_H
#define TESTS_SUPPORT_STORE_FAULTY_H

#include "store/store.h"

struct store *store_faulty_new(struct store *inner); /* taken over */
/* The call after `calls` more of them fails, and `times` - 1 transactions' first calls behind it.
 */
void store_faulty_fail(struct store *d, unsigned calls, unsigned times, int error);
/* Did it fail, each time it was to? */
bool store_faulty_is_spent(const struct store *d);

#endif
