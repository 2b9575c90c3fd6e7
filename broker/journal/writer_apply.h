/* Records become rows.  Thread: the writer's. */
#ifndef JOURNAL_WRITER_APPLY_H
#define JOURNAL_WRITER_APPLY_H

#include "journal/writer.h"

/* Within the open transaction. */
void writer_apply(struct writer *w, struct journal_group *g);

#endif
