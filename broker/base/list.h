/* Intrusive lists: utlist's macros, by this door and no others (no sys/queue.h, none by hand).
 *
 * DL_ lists are doubly linked; the head's `prev` is the tail, so that appending takes no walk.
 * They are for all lists from which an element leaves anywhere, and for queues. LL_ lists are
 * singly linked: stacks, and lists that only ever are emptied from the head. The members are
 * called `prev` and `next`; where an object is in several lists the macros with a 2 at the end
 * (DL_APPEND2) name them (`work_prev`, `work_next`).
 *
 * By hand stays only what no other thread's list can be: the chain of a mailbox, whose sender
 * writes one pointer under the lock (mailbox.c). */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <utlist.h>

#endif
