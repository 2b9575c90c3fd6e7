/* Randomness: the kernel's, or a seeded stream in a simulation (set before any thread starts).  Any
 * thread. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef void random_fn(void *arg, void *out, size_t len);

void random_use(random_fn *fn, void *arg); /* NULL: the kernel's again */
void random_bytes(void *out, size_t len);  /* never fails: aborts where the kernel has none */
uint64_t random_u64(void);

#endif
