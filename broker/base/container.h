/* From a member to the object that it is embedded in. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stddef.h>

#define container_of(member_pointer, type, member)                                                 \
	((type *)(void *)((char *)(member_pointer)-offsetof(type, member)))

#endif
