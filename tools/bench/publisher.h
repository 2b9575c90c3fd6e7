/* Publishers of a thread.  Thread: theirs; publisher_sent also main's after its end. */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "run.h"

void publisher_new_all(struct run_thread *t);
void publisher_free_all(struct run_thread *t);
struct link *publisher_link(struct run_thread *t, size_t i);
void publisher_start_all(struct run_thread *t);
/* Send what is due; returns when the next one is. */
uint64_t publisher_send_due(struct run_thread *t);
void publisher_stop_all(struct run_thread *t);
/* How many messages it has sent. */
uint32_t publisher_sent(const struct run_thread *t, size_t i);
/* One of those who must have a message has it, or its acknowledgement (rate max). */
void publisher_note_arrival(struct run_thread *t, size_t i, uint32_t sequence);

#endif
