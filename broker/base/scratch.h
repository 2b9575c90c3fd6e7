/* For local arrays of hot paths that are written before they are read: without the zeroes that
 * -ftrivial-auto-var-init writes everywhere else. */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

#endif
