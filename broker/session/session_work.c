/* A queue of sessions, first come first served: a session with more to do joins it again at its
 * end.
 */
#include "session/session_work.h"

#include "base/array.h"
#include "base/list.h"
#include "session/session.h"

void session_work_add(struct session *s, enum session_work what)
{
	struct worker *w = s->worker;

	REQUIRE_OWNER(s);
	REQUIRE(!s->ended && what != 0);
	if (s->work == 0)
		DL_APPEND2(w->sessions->working, s, work_prev, work_next);
	s->work |= (uint8_t)what;
}

void session_work_forget(struct session *s)
{
	if (s->work != 0)
		DL_DELETE2(s->worker->sessions->working, s, work_prev, work_next);
	s->work = 0;
}

void session_work_add_ended(struct session *s)
{
	REQUIRE_OWNER(s);
	REQUIRE(s->ended && s->work == 0);
	DL_APPEND2(s->worker->sessions->ended, s, work_prev, work_next);
}
