/* Attaching a session takes a while, as if it lived elsewhere; in any order. */
#ifndef SIM_ATTACH_LATER_H
#define SIM_ATTACH_LATER_H

#include <stddef.h>

struct session_attach;

/* In the place of session_attach_here. */
void attach_later(struct session_attach *attach);
size_t attach_later_waiting(void);
/* The index-th that waits is attached now, on its worker. */
void attach_later_finish(size_t index);

#endif
