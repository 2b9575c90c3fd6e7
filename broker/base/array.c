/* How arrays grow. */
#include "base/array.h"

#define CAPACITY_MIN 4

void *array_extend_by_one(void *array, size_t count, size_t size_bytes)
{
	if ((count & (count - 1)) != 0)
		return array;
	return xrealloc_array(array, count == 0 ? 1 : count * 2, size_bytes);
}

size_t array_capacity(size_t cap, size_t count)
{
	cap = cap < CAPACITY_MIN ? CAPACITY_MIN : cap;
	while (cap < count)
		cap *= 2;
	return cap;
}
