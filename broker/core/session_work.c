/* A queue of sessions, first come first served: whoever has more to do joins it again at its end.
 */
#include "core/session_work.h"

#include "base/list.h"
#include "core/deliver.h"

/* About a millisecond: values, messages or filters. */
#define STEPS_PER_TURN 1024

void session_work_add(struct session *s, enum session_work what)
{
	struct worker *w = s->worker;

	if (s->work == 0)
		DL_APPEND2(w->working, s, work_prev, work_next);
	s->work |= (uint8_t)what;
}

void session_work_forget(struct session *s)
{
	if (s->work != 0)
		DL_DELETE2(s->worker->working, s, work_prev, work_next);
	s->work = 0;
}

static size_t one_session(struct session *s)
{
	uint8_t work = s->work;
	size_t steps = 0;

	session_work_forget(s);
	if ((work & SESSION_WORK_REPLAY) != 0)
		steps += replay_slice(s);
	return steps;
}

bool session_work_turn(struct worker *w)
{
	const struct session *last = w->working == NULL ? NULL : w->working->work_prev;
	size_t steps = 0;
	bool more = last != NULL;

	while (more && steps < STEPS_PER_TURN) {
		struct session *s = w->working;

		more = s != last; /* those who join again wait for the next turn */
		steps += one_session(s);
	}
	return w->working != NULL;
}
