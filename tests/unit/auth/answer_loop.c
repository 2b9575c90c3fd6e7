/* The test's thread is the owner. */
#include "answer_loop.h"

static void on_wake(void *arg)
{
	struct answer_loop *loop = arg;

	mutex_lock(&loop->lock);
	loop->wake = true;
	condition_signal(&loop->woken);
	mutex_unlock(&loop->lock);
}

void answer_loop_init(struct answer_loop *loop)
{
	loop->wake = false;
	mutex_init(&loop->lock, LOCK_UNRANKED);
	condition_init(&loop->woken);
	executor_init(&loop->executor, 0, NULL, NULL);
	executor_set_wake(&loop->executor, on_wake, loop);
}

void answer_loop_fini(struct answer_loop *loop)
{
	executor_fini(&loop->executor);
	condition_fini(&loop->woken);
	mutex_fini(&loop->lock);
}

void answer_loop_await(struct answer_loop *loop, const bool *answered)
{
	while (!*answered) {
		mutex_lock(&loop->lock);
		while (!loop->wake)
			condition_wait(&loop->woken, &loop->lock);
		loop->wake = false;
		mutex_unlock(&loop->lock);
		executor_enter(&loop->executor);
		while (executor_turn(&loop->executor) == 0)
			; /* more came meanwhile, and nobody wakes an executor that is awake */
		executor_leave();
	}
}
