/* A slice of each session that has something left to do. */
#include "session/session_turn.h"

#include "base/array.h"
#include "base/list.h"
#include "session/inflight/inflight_end.h"
#include "session/replay.h"
#include "session/session_attach.h"
#include "session/session_deliver.h"
#include "session/session_lifecycle.h"
#include "session/session_work.h"
#include "session/will.h"

/* About a quarter of a millisecond: values, messages or filters. */
#define STEPS_PER_TURN(w) ((w)->turn_steps / 64 + 1)

typedef size_t slice_fn(struct session *s);

static const struct {
	enum session_work what;
	slice_fn *slice;
} works[] = {
    {SESSION_WORK_GIVE, inflight_end_give_slice},
    {SESSION_WORK_NOTE, inflight_end_note_slice},
    {SESSION_WORK_SEND, session_deliver_slice},
    {SESSION_WORK_REPLAY, replay_slice},
};

/* True: it is no more. */
static bool free_ended(struct worker *w, size_t *steps)
{
	struct session *s = w->sessions->ended;

	DL_DELETE2(w->sessions->ended, s, work_prev, work_next);
	if (session_lifecycle_free_some(s, steps))
		return true;
	DL_PREPEND2(w->sessions->ended, s, work_prev, work_next);
	return false;
}

void session_turn_fini(struct worker *w)
{
	struct table_walk walk = table_walk_of(&w->sessions->by_key);
	struct session *s;

	session_attach_fini(w);
	while ((s = table_walk_next(&walk)) != NULL)
		session_lifecycle_free(s);
	while (w->sessions->ended != NULL) {
		size_t steps = SIZE_MAX;

		will_leave(w->sessions->ended);
		w->sessions->ended->giving_stage = GIVING_NOTHING;
		(void)free_ended(w, &steps);
	}
}

bool session_turn(struct worker *w)
{
	const struct session *last =
	    w->sessions->working == NULL ? NULL : w->sessions->working->work_prev;
	size_t steps = 0, left = STEPS_PER_TURN(w);
	bool more = last != NULL;

	REQUIRE_EXECUTOR(&w->executor);
	while (more && steps < STEPS_PER_TURN(w)) {
		struct session *s = w->sessions->working;
		uint8_t work = s->work;

		more = s != last; /* those who join again wait for the next turn */
		REQUIRE(work != 0 && !s->ended);
		session_work_forget(s);
		steps++;
		for (size_t i = 0; i < ARRAY_LEN(works); i++) {
			if ((work & works[i].what) != 0)
				steps += works[i].slice(s);
		}
	}
	while (w->sessions->ended != NULL && free_ended(w, &left))
		;
	if (w->sessions->attaching != NULL)
		session_attach_turn(w);
	return session_turn_is_pending(w);
}
