/* An executor driven by libuv.  Each turn: poll (callbacks read and write), then what the streams
 * have left to do, then executor_turn().  In the steady state a turn costs the epoll_wait and
 * nothing else: the timer lives in user space and is set only when the due time changed; a
 * task from the own thread does not go through the kernel. */
#include "net/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/require.h"
#include "net/loop_internal.h"

struct loop_signal {
	uv_signal_t handle;
	struct loop_signal *next;
	struct loop *loop;
	loop_signal_fn *fn;
	void *arg;
};

static void on_idle(uv_idle_t *handle)
{
	(void)handle; /* being started is what it does: poll returns at once */
}

/* The check after this poll drains the mailbox. */
static void on_wake(uv_poll_t *handle, int status, int events)
{
	struct loop *loop = handle->data;
	uint64_t count;

	(void)status;
	(void)events;
	(void)!read(loop->wake_fd, &count, sizeof(count)); /* the counter is zero after it */
}

void loop_kick(struct loop *loop)
{
	REQUIRE(uv_idle_start(&loop->idle, on_idle) == 0);
}

void loop_add_job(struct loop *loop, struct loop_job *job, enum loop_place place)
{
	REQUIRE_EXECUTOR(loop->executor);
	loop_queue_add(&loop->queue, job, place);
	loop_kick(loop);
}

bool loop_is_awaited(const struct loop *loop)
{
	/* What libuv watches, is itself readable while one of them is ready. */
	struct pollfd events = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};

	REQUIRE_EXECUTOR(loop->executor);
	return !loop_queue_is_empty(&loop->queue) || !mailbox_is_empty(&loop->executor->mailbox) ||
	       poll(&events, 1, 0) != 0;
}

static void wake_up(struct loop *loop)
{
	const uint64_t one = 1;
	ssize_t n;

	do {
		n = write(loop->wake_fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

/* Any other thread: tasks of the loop itself are seen at the end of its turn. */
static void wake(void *arg)
{
	struct loop *loop = arg;

	wake_up(loop);
}

/* libuv's clock may be a little ahead of the executor's: come round once more rather than miss it.
 */
static void on_timer(uv_timer_t *handle)
{
	struct loop *loop = handle->data;

	loop->due_ms = UINT64_MAX;
	loop_kick(loop);
}

/* libuv has read its clock since the turn before. */
static void on_prepare(uv_prepare_t *handle)
{
	struct loop *loop = handle->data;
	uint64_t ms = uv_now(&loop->uv) - loop->turn_since_ms;

	if (ms == 0)
		latency_count_zero(loop->turn_cells);
	else
		latency_count(loop->turn_cells, ms);
}

static void on_check(uv_check_t *handle)
{
	struct loop *loop = handle->data;
	uint64_t wait_ms, due_ms;

	loop->turn_since_ms = uv_now(&loop->uv);
	uv_idle_stop(&loop->idle);
	if (!loop_queue_is_empty(&loop->queue)) {
		executor_update_now(loop->executor);
		loop->poll_until_ns = UINT64_MAX;
		loop_queue_run(&loop->queue);
	}
	loop->poll_until_ns = 0;
	wait_ms = executor_turn(loop->executor);
	if (!loop_queue_is_empty(&loop->queue))
		wait_ms = 0;
	if (wait_ms == 0) {
		loop_kick(loop);
		return;
	}
	due_ms = wait_ms == UINT64_MAX ? UINT64_MAX : loop->executor->now_ms + wait_ms;
	if (due_ms != loop->due_ms) {
		loop->due_ms = due_ms;
		if (due_ms == UINT64_MAX)
			uv_timer_stop(&loop->timer);
		else
			REQUIRE(uv_timer_start(&loop->timer, on_timer, wait_ms, 0) == 0);
	}
	if (loop->open == 0 && atomic_load(&loop->stopping))
		uv_stop(&loop->uv);
}

/* Once the loop is there these cannot fail, except the first ones for want of a descriptor. */
static int handles_init(struct loop *loop)
{
	int failed;

	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return -errno;
	failed = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
	if (failed != 0) {
		close(loop->wake_fd);
		return failed;
	}
	REQUIRE(uv_poll_start(&loop->wake, UV_READABLE, on_wake) == 0);
	loop->wake.data = loop;
	REQUIRE(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
	REQUIRE(uv_check_init(&loop->uv, &loop->check) == 0);
	REQUIRE(uv_idle_init(&loop->uv, &loop->idle) == 0);
	REQUIRE(uv_timer_init(&loop->uv, &loop->timer) == 0);
	loop->prepare.data = loop;
	loop->check.data = loop;
	loop->timer.data = loop;
	REQUIRE(uv_prepare_start(&loop->prepare, on_prepare) == 0);
	REQUIRE(uv_check_start(&loop->check, on_check) == 0);
	return 0;
}

struct loop *loop_new(struct executor *executor, int *error)
{
	struct loop *loop = xnew(loop);
	int failed = uv_loop_init(&loop->uv);

	if (failed == 0) {
		failed = handles_init(loop);
		if (failed != 0)
			REQUIRE(uv_loop_close(&loop->uv) == 0);
	}
	if (failed != 0) {
		*error = failed;
		free(loop);
		return NULL;
	}
	loop->executor = executor;
	loop->due_ms = UINT64_MAX;
	loop->turn_since_ms = uv_now(&loop->uv);
	executor_set_wake(executor, wake, loop);
	*error = 0;
	return loop;
}

void loop_run(struct loop *loop)
{
	executor_enter(loop->executor);
	loop_kick(loop); /* what was sent before the loop could be woken */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	executor_leave();
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	wake_up(loop);
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	REQUIRE(loop->open == 0); /* streams, listeners, signals */
	REQUIRE(loop->calls == NULL && loop_queue_is_empty(&loop->queue));
	REQUIRE(loop->signals == NULL);
	executor_set_wake(loop->executor, NULL, NULL);
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	REQUIRE(uv_loop_close(&loop->uv) == 0);
	close(loop->wake_fd);
	if (loop->shared != NULL)
		loop->shared_free(loop->shared);
	free(loop);
}

const struct tls_counts *loop_tls_counts(const struct loop *loop)
{
	return &loop->tls_counts;
}

const _Atomic uint64_t *loop_turn_cells(const struct loop *loop)
{
	return loop->turn_cells;
}

struct executor *loop_executor(struct loop *loop)
{
	return loop->executor;
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct loop_signal *s = handle->data;

	executor_update_now(s->loop->executor);
	s->fn(s->arg, signum);
}

static void on_signal_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int loop_on_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *s = xnew(s);
	int failed = uv_signal_init(&loop->uv, &s->handle);

	REQUIRE(signum > 0);
	if (failed != 0) {
		free(s);
		return failed;
	}
	s->handle.data = s;
	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	failed = uv_signal_start(&s->handle, on_signal, signum);
	if (failed != 0) {
		uv_close((uv_handle_t *)&s->handle, on_signal_closed);
		return failed;
	}
	LL_PREPEND(loop->signals, s);
	loop->open++;
	return 0;
}

void loop_signals_close(struct loop *loop)
{
	while (loop->signals != NULL) {
		struct loop_signal *s = loop->signals;

		REQUIRE(loop->open > 0);
		LL_DELETE(loop->signals, s);
		loop->open--;
		uv_close((uv_handle_t *)&s->handle, on_signal_closed);
	}
	loop_kick(loop); /* these may have been the last that loop_run waited for */
}

unsigned long loop_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit wanted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
			limit = wanted;
	}
	return (unsigned long)limit.rlim_cur;
}
