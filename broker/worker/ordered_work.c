/* See ordered_work.h. */
#include "worker/ordered_work.h"

#include "base/list.h"

/* One may take a sixteenth of a turn at once, the slice of a turn is half of that. */
#define ONE_STEPS(w)   ((w)->turn_steps / 16 + 1)
#define SLICE_STEPS(w) ((w)->turn_steps / 32 + 1)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void ordered_work_add(struct worker *w, enum ordered_kind kind, struct ordered_work *work)
{
	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(work->go_on != NULL && work->drop != NULL);
	/* mutant: ordered_work_overtakes */
	if (!ordered_work_waits(w, kind) &&
	    work->go_on(w, work, least(w->work + ONE_STEPS(w), w->work_until)))
		return;
	DL_APPEND(w->ordered[kind], work);
}

struct ordered_work *ordered_work_last(const struct worker *w, enum ordered_kind kind)
{
	return w->ordered[kind] == NULL ? NULL : w->ordered[kind]->prev;
}

/* It causes nothing that would have to wait for it. */
static void go_on_until(struct worker *w, enum ordered_kind kind, uint64_t until)
{
	REQUIRE_EXECUTOR(&w->executor);
	while (w->ordered[kind] != NULL && w->work < until) {
		struct ordered_work *work = w->ordered[kind];

		DL_DELETE(w->ordered[kind], work);
		if (!work->go_on(w, work, until))
			DL_PREPEND(w->ordered[kind], work);
	}
}

void ordered_work_turn(struct worker *w, enum ordered_kind kind)
{
	go_on_until(w, kind, w->work + SLICE_STEPS(w));
}

void ordered_work_flush(struct worker *w, enum ordered_kind kind)
{
	go_on_until(w, kind, UINT64_MAX);
}

void ordered_work_fini(struct worker *w, enum ordered_kind kind)
{
	REQUIRE_EXECUTOR(&w->executor);
	while (w->ordered[kind] != NULL) {
		struct ordered_work *work = w->ordered[kind];

		DL_DELETE(w->ordered[kind], work);
		work->drop(w, work);
	}
}
