/* What the disk allows.  Thread: the writer's, unless a function says otherwise. */
#ifndef JOURNAL_WRITER_SPACE_H
#define JOURNAL_WRITER_SPACE_H

#include "journal/writer.h"

/* error: -errno, 0: none. */
void writer_set_state(struct writer *w, enum journal_state state, int error);
/* Since somebody looked; to look costs something. */
bool writer_space_may_differ(const struct writer *w);
/* How much room is there? It works, or is tight, accordingly. */
void writer_check_space(struct writer *w);
/* When to look without a commit: while it is tight, and for a while after, every second.  Under the
 * lock. */
uint64_t writer_check_due_ms(const struct writer *w);
void writer_check_again(struct writer *w); /* where it is due */
void writer_lower_space(struct journal *j, size_t bytes);

#endif
