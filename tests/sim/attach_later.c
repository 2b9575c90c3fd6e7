/* One list: there is one world at a time. */
#include "attach_later.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/session_attach.h"

#define WAITING_MAX 4096

static struct session_attach *waiting[WAITING_MAX];
static size_t waiting_count;

void attach_later(struct session_attach *attach)
{
	assert_true(waiting_count < WAITING_MAX);
	waiting[waiting_count++] = attach;
}

size_t attach_later_waiting(void)
{
	return waiting_count;
}

void attach_later_finish(size_t index)
{
	struct session_attach *attach = waiting[index];
	struct executor *executor = &attach->worker->executor;

	waiting[index] = waiting[--waiting_count];
	executor_enter(executor);
	session_attach_here(attach);
	executor_leave();
}
