/* The journal's thread.  Thread: main's. */
#ifndef JOURNAL_WRITER_THREAD_H
#define JOURNAL_WRITER_THREAD_H

#include "journal/writer.h"

int writer_thread_start(struct journal *j);
void writer_thread_join(struct writer *w);

#endif
