/* A disk that passes everything on to another, and fails at the call it was told. */
#ifndef TESTS_STORE_FAULTY_H
#define TESTS_STORE_FAULTY_H

#include "store/disk.h"

struct disk *faulty_new(struct disk *inner); /* taken over */
/* The call after `calls` more of them fails, and `times` - 1 transactions' first calls behind it.
 */
void faulty_fail(struct disk *d, unsigned calls, unsigned times, int error);
/* Did it fail, each time it was to? */
bool faulty_is_spent(const struct disk *d);

#endif
