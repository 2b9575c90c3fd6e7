/* An executor that sleeps until the hashing threads wake it. */
#ifndef TEST_ANSWER_LOOP_H
#define TEST_ANSWER_LOOP_H

#include "base/executor.h"
#include "base/thread.h"

struct answer_loop {
	struct executor executor;
	struct mutex lock;
	struct condition woken;
	bool wake;
};

void answer_loop_init(struct answer_loop *loop);
void answer_loop_fini(struct answer_loop *loop);
/* Run tasks until one of them sets *answered. */
void answer_loop_await(struct answer_loop *loop, const bool *answered);

#endif
