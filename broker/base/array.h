/* Growing arrays: a pointer and a count in the owner's struct, freed with free(). Growth doubles;
 * the program aborts when memory is out. The arguments are evaluated more than once.  Thread: the
 * owner's. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

#include "base/alloc.h"

/* Elements of an array whose size the compiler knows. */
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Space for one more after the `count` existing ones. For arrays that only grow: without a
 * capacity, it grows when the count is a power of two. */
#define array_extend(array, count)                                                                 \
	((array) = array_extend_by_one((array), (count), sizeof(*(array))))

/* Space for `count` elements; the owner stores the capacity `cap`. */
#define array_reserve(array, cap, count)                                                           \
	do {                                                                                       \
		if ((count) > (cap)) {                                                             \
			size_t cap_ = array_capacity((cap), (count));                              \
                                                                                                   \
			(array) = xrealloc_array((array), cap_, sizeof(*(array)));                 \
			(cap) = (__typeof__(cap))cap_;                                             \
		}                                                                                  \
	} while (0)

#define ARRAY_CAPACITY_MIN 4

static inline void *array_extend_by_one(void *array, size_t count, size_t size_bytes)
{
	if ((count & (count - 1)) != 0)
		return array;
	return xrealloc_array(array, count == 0 ? 1 : count * 2, size_bytes);
}

static inline size_t array_capacity(size_t cap, size_t count)
{
	cap = cap < ARRAY_CAPACITY_MIN ? ARRAY_CAPACITY_MIN : cap;
	while (cap < count)
		cap *= 2;
	return cap;
}

#endif
