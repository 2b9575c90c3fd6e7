/* What a crash does to connections, sessions and wills.  D5, D6 */
#include "model.h"

/* Since when it was known to be in use: the store records the time with each commit, and about
 * once a minute besides. */
static uint64_t last_known(const struct model *m, uint64_t crashed_ms)
{
	return m->committed_ms > crashed_ms - 61000 ? m->committed_ms : crashed_ms - 61000;
}

/* It is not known to the millisecond since when. */
static void crash_pending_will(struct actor *p, uint64_t crashed_ms)
{
	uint64_t delay_ms = (uint64_t)p->pending_will->will_delay_s * 1000;

	p->pending_will->will_may_ms = last_known(p->model, crashed_ms) + delay_ms;
	p->pending_will->will_due_ms = model_now(p->model) + delay_ms;
}

static void crash_will(struct actor *p, uint64_t crashed_ms)
{
	struct model *m = p->model;
	uint64_t delay_ms;

	if (p->will == NULL)
		return;
	COVER(m, CRASH_WILL);
	delay_ms = (uint64_t)p->will->will_delay_s * 1000;
	if (!model_is_written(m, p->will->armed_at, p->will->armed_ms)) {
		model_will_published(p->will, UNKNOWN);
	} else if (delay_ms == 0 || p->expiry_s == 0) {
		model_will_published(p->will, YES);
	} else {
		p->pending_will = p->will;
		crash_pending_will(p, crashed_ms);
	}
	p->will = NULL;
}

static void crash_session(struct actor *p, uint64_t crashed_ms)
{
	uint64_t expiry_ms = (uint64_t)p->expiry_s * 1000;

	if (p->expiry_s == 0) {
		model_session_ends(p);
		return;
	}
	p->may_end_ms = last_known(p->model, crashed_ms) + expiry_ms;
	p->ends_ms = model_now(p->model) + expiry_ms;
}

/* The connection broke so shortly before that the broker may not have noticed. */
static void crash_broken(struct actor *p, uint64_t crashed_ms)
{
	if (p->exists == YES)
		crash_session(p, crashed_ms);
	if (p->pending_will != NULL)
		crash_pending_will(p, crashed_ms);
}

/* Due while the broker was down: it is published at the start, and exists from then on. */
static void crash_due(struct actor *p)
{
	uint64_t now_ms = model_now(p->model);

	if (p->pending_will != NULL && p->pending_will->will_due_ms < now_ms)
		p->pending_will->will_due_ms = now_ms;
}

static void crash_actor(struct actor *p, uint64_t crashed_ms)
{
	if (p->link == LINK_CALLING) {
		COVER(p->model, CRASH_CALLING);
		model_hangs_up(p);
	} else if (p->link == LINK_UP) {
		p->link = LINK_NONE;
		p->broken = p->model->tick;
		crash_will(p, crashed_ms);
		crash_session(p, crashed_ms);
	} else if (p->broken > p->model->last_quiet) {
		crash_broken(p, crashed_ms);
	}
	crash_due(p);
	p->asked = 0;
	model_forget_waiting(p);
	p->must_close = p->leaving = false;
	p->crashed = true;
	subs_bury(p);
}

void model_crash_actors(struct model *m, uint64_t crashed_ms)
{
	for (unsigned i = 0; i < m->actors_count; i++)
		crash_actor(&m->actors[i], crashed_ms);
}
