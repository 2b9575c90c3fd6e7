/* From a member to the object that it is embedded in. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stddef.h>

#define container_of(member_pointer, type, member)                                                 \
	((type *)(void *)((char *)(member_pointer)-offsetof(type, member)))

/* The same of what may only be read. */
#define container_of_const(member_pointer, type, member)                                           \
	((const type *)(const void *)((const char *)(member_pointer)-offsetof(type, member)))

#endif
