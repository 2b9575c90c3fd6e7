/* See waiting_publisher.h. */
#include "routing/waiting_publisher.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "session/session_upcalls.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

/* --- it is not read --- */

/* To another worker: the fan-out of a session begins, or ends, here. */
struct fan_out_note {
	struct task task;
	uint64_t session_id;
	bool begins;
};

static void note_fan_out(struct worker *w, uint64_t session_id, bool begins)
{
	struct session *s = session_find_by_id(w, session_id);

	if (s == NULL)
		return;
	if (begins) {
		s->fan_outs++;
		if (s->link != NULL)
			waiting_publisher_hold_link(s->link);
		return;
	}
	REQUIRE(s->fan_outs > 0);
	s->fan_outs--;
	if (s->fan_outs == 0 && s->link != NULL)
		w->upcalls->on_fan_out_done(s->link);
}

static void on_note(struct task *task, void *executor_arg)
{
	struct fan_out_note *note = container_of(task, struct fan_out_note, task);

	note_fan_out(executor_arg, note->session_id, note->begins);
	free(note);
}

static void send_note(struct worker *w, const struct waiting_publisher *p, bool begins)
{
	struct fan_out_note *note;

	if (p->worker == w) {
		note_fan_out(w, p->session_id, begins);
		return;
	}
	note = xnew(note);
	note->task.run = on_note;
	note->session_id = p->session_id;
	note->begins = begins;
	executor_send(&p->worker->executor, &note->task);
}

void waiting_publisher_hold(struct worker *w, struct waiting_publisher *p, struct worker *worker)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (p->worker != NULL || worker == NULL)
		return;
	p->worker = worker;
	send_note(w, p, true);
}

/* --- its user pays --- */

static struct payer *payer_of(struct worker *w, const struct origin *origin)
{
	return origin->user_key.len == 0
	           ? NULL
	           : payers_find(&w->shared->payers, PAYER_USER, origin->user_key);
}

void waiting_publisher_begin(struct worker *w, struct waiting_publisher *p,
                             const struct origin *origin)
{
	REQUIRE_EXECUTOR(&w->executor);
	*p = (struct waiting_publisher){.session_id = origin->session_id};
	/* mutant: waiting_deliveries_have_no_payer */
	charge_init(&p->charge, payer_of(w, origin));
	shared_begin_wait(w->shared);
}

void waiting_publisher_count(struct worker *w, struct waiting_publisher *p, uint64_t bytes)
{
	uint64_t more = bytes - p->charge.bytes;

	REQUIRE_EXECUTOR(&w->executor);
	if (p->charge.payer != NULL) {
		charge_set(w, &p->charge, bytes);
		return;
	}
	p->charge.bytes = bytes;
	count_by(&w->counters.memory_bytes, more);
}

void waiting_publisher_end(struct worker *w, struct waiting_publisher *p)
{
	waiting_publisher_count(w, p, 0);
	charge_fini(w, &p->charge);
	shared_end_wait(w->shared);
	if (p->worker != NULL)
		send_note(w, p, false);
}

/* So much may wait whatever the limit: who publishes little now and then is served. */
#define WAITING_FREE ((size_t)8192)

const char *waiting_publisher_exceeds(const struct session *s, size_t bytes)
{
	struct worker *w = s->worker;
	struct payer *payer;
	const char *exceeds;

	REQUIRE_OWNER(s);
	if (bytes <= WAITING_FREE && s->fan_outs == 0)
		return NULL;
	payer = payer_of(w, s->origin);
	exceeds = payer == NULL ? NULL : quota_memory(w, payer, bytes);
	payer_unref(&w->shared->payers, &payer);
	return exceeds;
}
