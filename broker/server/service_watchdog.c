/* A task goes to each worker and comes back. */
#include "server/service_watchdog.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/container.h"
#include "base/log.h"
#include "base/require.h"
#include "server/service_notify.h"

#define US_PER_MS 1000
#define ROUNDS    4

struct watchdog_question {
	struct task task; /* first */
	struct service_watchdog *watchdog;
	struct executor *worker;
	atomic_bool is_open; /* the worker has not come to it yet */
};

struct service_watchdog {
	struct executor *executor;
	struct timer timer;
	uint64_t interval_ms;
	struct watchdog_question **questions;
	size_t count;
	/* Of the round under way. */
	size_t waiting;
	uint64_t began_ms;
	bool is_said;
	bool is_stopped;
};

/* --- a round --- */

static void on_answer(struct task *task, void *executor_arg)
{
	struct service_watchdog *watchdog = ((struct watchdog_question *)task)->watchdog;

	(void)executor_arg;
	REQUIRE_EXECUTOR(watchdog->executor);
	/* mutant: watchdog_waits_for_all */
	if (--watchdog->waiting > 0)
		return;
	/* mutant: watchdog_half_interval */
	if (watchdog->executor->now_ms - watchdog->began_ms > watchdog->interval_ms / 2)
		return;
	if (!watchdog->is_stopped)
		service_notify_alive();
}

/* On the worker. */
static void on_question(struct task *task, void *executor_arg)
{
	struct watchdog_question *question = (struct watchdog_question *)task;

	(void)executor_arg;
	atomic_store(&question->is_open, false);
	task->run = on_answer;
	executor_send(question->watchdog->executor, task);
}

static void ask(struct service_watchdog *watchdog)
{
	watchdog->began_ms = watchdog->executor->now_ms;
	watchdog->is_said = false;
	watchdog->waiting = watchdog->count;
	for (size_t i = 0; i < watchdog->count; i++) {
		struct watchdog_question *question = watchdog->questions[i];

		atomic_store(&question->is_open, true);
		question->task.run = on_question;
		executor_send(question->worker, &question->task);
	}
}

/* The one that did not answer, or the first of them. */
static void name_silent(struct service_watchdog *watchdog)
{
	uint64_t ms = watchdog->executor->now_ms - watchdog->began_ms;

	if (watchdog->is_said || ms <= watchdog->interval_ms / 2)
		return;
	for (size_t i = 0; i < watchdog->count; i++) {
		if (!atomic_load(&watchdog->questions[i]->is_open))
			continue;
		watchdog->is_said = true;
		LOG(WORKER_SILENT, .worker = watchdog->questions[i]->worker->index, .ms = ms);
		return;
	}
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct service_watchdog *watchdog = container_of(timer, struct service_watchdog, timer);

	(void)executor_arg;
	if (watchdog->waiting == 0)
		ask(watchdog);
	else
		name_silent(watchdog);
	executor_timer_arm(watchdog->executor, timer, watchdog->interval_ms / ROUNDS);
}

/* --- life --- */

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
	unsigned long long number;
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' ? 0 : number;
}

struct service_watchdog *service_watchdog_new(struct executor *executor)
{
	uint64_t interval_ms = number_of("WATCHDOG_USEC") / US_PER_MS;
	uint64_t pid = number_of("WATCHDOG_PID");
	struct service_watchdog *watchdog;

	if (interval_ms < ROUNDS || (pid != 0 && pid != (uint64_t)getpid()))
		return NULL;
	watchdog = xnew(watchdog);
	watchdog->executor = executor;
	watchdog->interval_ms = interval_ms;
	watchdog->timer.fire = on_timer;
	return watchdog;
}

void service_watchdog_add(struct service_watchdog *watchdog, struct executor *worker)
{
	struct watchdog_question *question;

	if (watchdog == NULL)
		return;
	question = xnew(question);
	question->watchdog = watchdog;
	question->worker = worker;
	array_extend(watchdog->questions, watchdog->count);
	watchdog->questions[watchdog->count++] = question;
}

void service_watchdog_start(struct service_watchdog *watchdog)
{
	if (watchdog != NULL)
		executor_timer_arm(watchdog->executor, &watchdog->timer, 0);
}

void service_watchdog_stop(struct service_watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	watchdog->is_stopped = true;
	executor_timer_disarm(watchdog->executor, &watchdog->timer);
}

void service_watchdog_free(struct service_watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	for (size_t i = 0; i < watchdog->count; i++)
		free(watchdog->questions[i]);
	free(watchdog->questions);
	free(watchdog);
}
