/* What the model knows of one publication at one actor's session (struct copy). */
#ifndef SIM_COPY_H
#define SIM_COPY_H

#include "model.h"

/* Of the present session of that actor; a new one if there is none. */
struct copy *copy_of(struct actor *p, struct pub *pub);
/* To one of the actor's lists. */
void copy_append(struct copy ***list, size_t *count, size_t *cap, struct copy *copy);
/* Sent for the first time: to a member of a group; in all. */
unsigned copy_shared_times(const struct copy *copy);
unsigned copy_first_times(const struct copy *copy);
/* How often the publication may have been routed. */
unsigned copy_routings(const struct pub *pub);

#endif
