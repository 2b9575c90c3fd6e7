/* Intrusive lists: utlist, the door to it. DL_ lists are doubly linked (the head's prev is the
 * tail), LL_ lists singly. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <utlist.h>

#endif
