/* Queues on disk.  Thread: the writer's. */
#ifndef JOURNAL_WRITER_QUEUE_H
#define JOURNAL_WRITER_QUEUE_H

#include "journal/writer.h"

/* The queue records from `at` on that carry the same message; *at moves behind them. */
int writer_queue_apply(struct writer *w, struct journal_group *g, size_t *at);
int writer_queue_done(struct writer *w, uint64_t session_id, uint64_t position);
int writer_queue_drop_body(struct writer *w, uint64_t body_id); /* one reference */
int writer_queue_read_page(struct writer *w, struct journal_page *page);

#endif
