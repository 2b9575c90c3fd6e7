/* After a start: everything that is in the store.  Thread: main's, before the writer's starts. */
#ifndef JOURNAL_WRITER_RESTORE_H
#define JOURNAL_WRITER_RESTORE_H

#include "journal/writer.h"

int writer_restore(struct journal *j, const struct journal_visitor *visitor, void *arg, char *text);

#endif
