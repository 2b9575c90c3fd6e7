/* A disk that passes everything on to another, and fails at the call it was told. */
#ifndef TESTS_STORE_FAULTY_H
#define TESTS_STORE_FAULTY_H

#include "store/store.h"

struct store *faulty_new(struct store *inner); /* taken over */
/* The call after `calls` more of them fails, and `times` - 1 transactions' first calls behind it.
 */
void faulty_fail(struct store *d, unsigned calls, unsigned times, int error);
/* Did it fail, each time it was to? */
bool faulty_is_spent(const struct store *d);

#endif
