/* A thread of the generator: its clients, and its part of each step.  Thread: init and fini main,
 * before and after it runs. */
#ifndef BENCH_RUN_STEPS_H
#define BENCH_RUN_STEPS_H

#include "run.h"

void run_steps_init(struct run_thread *t, struct bench_run *r, unsigned index);
void run_steps_fini(struct run_thread *t);
/* The thread: `arg` is a struct run_thread. Ends after STEP_END. */
void *run_steps_main(void *arg);

#endif
