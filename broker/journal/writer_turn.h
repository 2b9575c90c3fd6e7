/* A turn of the writer: gather, apply in one transaction, report.  Thread: the writer's. */
#ifndef JOURNAL_WRITER_TURN_H
#define JOURNAL_WRITER_TURN_H

#include "journal/writer.h"

/* One batch, if something is due. `final`: everything. */
bool writer_turn(struct writer *w, uint64_t now_ms, bool final);

#endif
