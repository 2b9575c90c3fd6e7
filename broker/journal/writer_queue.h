/* Queues on disk.  Thread: the writer's. */
#ifndef JOURNAL_WRITER_QUEUE_H
#define JOURNAL_WRITER_QUEUE_H

#include "journal/writer.h"

/* Within the open transaction. */

/* A queue record; those that follow it with the same message are stored together with it. */
void writer_queue_apply(struct writer *w, struct group_entry *e);
void writer_queue_done(struct writer *w, uint64_t session_id, uint64_t position);
void writer_queue_drop_body(struct writer *w, uint64_t body_id); /* one reference */
void writer_queue_read_page(struct writer *w, struct journal_page *page);

#endif
