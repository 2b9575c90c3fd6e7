/* A list and a timer for each worker; both are idle where memory is plenty. */
#include "session/memory_wait.h"

#include "base/list.h"
#include "session/session.h"
#include "session/session_upcalls.h"

/* Those that still wait are after the others then. */
static void on_timer(struct timer *timer, void *executor_arg)
{
	struct worker *w = executor_arg;
	unsigned left = w->sessions->memory_wait_count;

	while (left-- > 0 && w->sessions->memory_waits != NULL) {
		struct session *s = w->sessions->memory_waits;

		memory_wait_forget(s);
		/* mutant: memory_wait */
		if (s->link != NULL)
			w->upcalls->on_unblocked(s->link);
	}
	if (w->sessions->memory_waits != NULL && !w->stopping)
		executor_timer_arm(&w->executor, timer, MEMORY_WAIT_MS);
}

void memory_wait_init(struct worker *w)
{
	w->sessions->memory_timer.fire = on_timer;
}

void memory_wait_fini(struct worker *w)
{
	REQUIRE(w->sessions->memory_waits == NULL && w->sessions->memory_wait_count == 0);
	executor_timer_disarm(&w->executor, &w->sessions->memory_timer);
}

void memory_wait(struct session *s)
{
	struct worker *w = s->worker;

	REQUIRE_OWNER(s);
	if (s->waits_for_memory || s->link == NULL || w->stopping)
		return;
	if (!timer_is_armed(&w->sessions->memory_timer))
		executor_timer_arm(&w->executor, &w->sessions->memory_timer, MEMORY_WAIT_MS);
	s->waits_for_memory = true;
	w->sessions->memory_wait_count++;
	DL_APPEND2(w->sessions->memory_waits, s, memory_prev, memory_next);
}

void memory_wait_forget(struct session *s)
{
	REQUIRE_OWNER(s);
	if (!s->waits_for_memory)
		return;
	s->waits_for_memory = false;
	s->worker->sessions->memory_wait_count--;
	DL_DELETE2(s->worker->sessions->memory_waits, s, memory_prev, memory_next);
}
