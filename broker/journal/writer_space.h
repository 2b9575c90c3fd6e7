/* What the disk allows.  Thread: the writer's, unless a function says otherwise. */
#ifndef JOURNAL_WRITER_SPACE_H
#define JOURNAL_WRITER_SPACE_H

#include "journal/writer.h"

/* error: -errno, 0: none. */
void writer_space_set_state(struct writer *w, enum journal_state state, int error);
/* May the space differ from what was measured?  Measuring has a cost. */
bool writer_space_may_differ(const struct writer *w);
/* Measure the space, and set the state accordingly. */
void writer_space_measure(struct writer *w);
/* When to measure without a commit: every second while it is low, and for a while after.  Under the
 * lock. */
uint64_t writer_space_due_ms(const struct writer *w);
void writer_space_measure_if_due(struct writer *w); /* if that is due */
void writer_space_lower(struct journal *j, size_t bytes);

#endif
