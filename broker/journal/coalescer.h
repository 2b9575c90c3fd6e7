/* Groups that wait for the next commit, or for the end of the interval.  Thread: the writer's. */
#ifndef JOURNAL_COALESCER_H
#define JOURNAL_COALESCER_H

#include "journal/writer.h"

/* Take over a group: cancel what it makes unnecessary, then put it into the list where it waits. */
void coalescer_gather(struct writer *w, struct journal_group *g);
/* Move what is due into the batch. `everything`: what waits for the end of the interval, too. */
void coalescer_release(struct writer *w, bool everything);
/* It will never be written: it completes with -ECANCELED. */
void coalescer_cancel(struct journal_group *g);
void coalescer_cancel_all(struct writer *w);
void coalescer_fini(struct writer *w);

#endif
