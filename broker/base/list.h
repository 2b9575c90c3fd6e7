/* Linked lists of objects that carry their own links: utlist's macros, by the one door. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <utlist.h>

#endif
