/* What becomes of a session's messages when its client goes away, and when it ends: what was sent
 * is written down with its packet identifier, shared ones go to other members, the rest is freed.
 * In slices: there may be 65,535 of them. */
#include "session/inflight/inflight_end.h"

#include "base/list.h"
#include "durability/delivery_target.h"
#include "session/disk_queue.h"
#include "session/inflight/inflight.h"
#include "session/session_journal.h"
#include "session/session_upcalls.h"
#include "session/session_work.h"
#include "tree/route_share.h"
#include "worker/shared.h"

/* Messages in a slice; those that need nothing cost a fraction. */
#define SLICE_MESSAGES(w) ((w)->turn_steps / 64 + 1)
#define LOOKS             16

/* --- what was sent --- */

static void note_one(struct session *s, struct inflight *o)
{
	if (o->qos == 1 && !o->noted)
		session_journal_inflight(s, o);
	o->noted = true;
}

void inflight_end_note_sent(struct session *s)
{
	struct inflight *o;

	REQUIRE_OWNER(s);
	DL_FOREACH (s->sent.head, o) {
		note_one(s, o);
	}
}

size_t inflight_end_note_slice(struct session *s)
{
	size_t steps = 0;

	for (; s->noting != NULL && steps < SLICE_MESSAGES(s->worker); steps++) {
		struct inflight *o = s->noting;

		s->noting = o->next;
		/* mutant: qos1_without_dup_after_crash */
		note_one(s, o);
	}
	if (s->noting != NULL)
		session_work_add(s, SESSION_WORK_NOTE);
	return steps;
}

/* --- shared messages of a member that leaves --- */

static bool is_of_group(const struct session *s, const struct inflight_list *list,
                        const struct inflight *o)
{
	bool sent_qos2 = list == &s->sent && o->qos == 2; /* [MQTT5-4.8.2-4, -5] */

	return o->info != NULL && o->info->group_id != 0 && o->msg != NULL && !sent_qos2;
}

static bool share_has_online(struct worker *w, uint64_t group_id, uint64_t but)
{
	struct route_target next;

	return route_share_pick(w->shared->route, w->executor.index, group_id, &but, 1, &next) &&
	       next.online;
}

static void give_away(struct session *s, struct inflight_list *list, struct inflight *o)
{
	struct target_item item = {
	    .session_id = s->id, .group_id = o->info->group_id, .position = o->position};

	s->worker->upcalls->on_share_returned(s, o->msg, &item);
	o->position = 0; /* done, or another's now */
	if (list == &s->sent) {
		inflight_remove(s, o);
	} else {
		inflight_delete(s, list, o);
		inflight_free(o);
	}
}

/* From s->giving on: to those who are online, or where the session has ended to anybody. */
static void give_some(struct session *s, struct inflight_list *list, size_t *steps)
{
	while (s->giving != NULL && *steps > 0) {
		struct inflight *o = s->giving;

		s->giving = o->next;
		(*steps)--;
		if (!is_of_group(s, list, o) ||
		    (!s->ended && !share_has_online(s->worker, o->info->group_id, s->id)))
			continue;
		*steps -= *steps < LOOKS ? *steps : LOOKS;
		give_away(s, list, o);
	}
}

static void give_stages(struct session *s, size_t *steps)
{
	if (s->giving_stage == GIVING_SENT) {
		give_some(s, &s->sent, steps);
		if (s->giving == NULL && *steps > 0) {
			s->giving_stage = GIVING_WAITING;
			s->giving = s->waiting.head;
		}
	}
	if (s->giving_stage == GIVING_WAITING) {
		give_some(s, &s->waiting, steps);
		if (s->giving == NULL)
			s->giving_stage = GIVING_NOTHING;
	}
}

size_t inflight_end_give_slice(struct session *s)
{
	size_t budget = (size_t)SLICE_MESSAGES(s->worker) * LOOKS, steps = budget;

	give_stages(s, &steps);
	if (s->giving_stage != GIVING_NOTHING)
		session_work_add(s, SESSION_WORK_GIVE);
	return (budget - steps) / LOOKS;
}

/* --- the client goes away, and comes back --- */

void inflight_end_leave(struct session *s)
{
	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL);
	s->noting = s->sent.head;
	s->giving = s->sent.head;
	s->giving_stage = GIVING_SENT;
	inflight_end_give_slice(s);
	inflight_end_note_slice(s);
}

void inflight_end_return(struct session *s)
{
	REQUIRE_OWNER(s);
	s->noting = s->giving = NULL;
	s->giving_stage = GIVING_NOTHING;
	s->unreleased = s->sent.head;
}

/* --- the session ends --- */

void inflight_end_give_shared(struct session *s)
{
	REQUIRE_OWNER(s);
	s->giving = s->sent.head;
	s->giving_stage = GIVING_SENT;
}

/* A step is a message that is freed; to be given away it is a multiple. */
bool inflight_end_give_some(struct session *s, size_t *steps)
{
	size_t left = *steps > SIZE_MAX / LOOKS ? SIZE_MAX : *steps * LOOKS;

	REQUIRE_OWNER(s);
	REQUIRE(s->ended);
	/* mutant: shared_end_in_slices */
	give_stages(s, &left);
	if (*steps != SIZE_MAX)
		*steps = left / LOOKS;
	return s->giving_stage == GIVING_NOTHING;
}

static bool drop_some(struct session *s, struct inflight_list *list, size_t *steps)
{
	for (; list->head != NULL && *steps > 0; (*steps)--) {
		struct inflight *o = list->head;

		inflight_delete(s, list, o);
		inflight_free(o);
	}
	return list->head == NULL;
}

bool inflight_end_free_some(struct session *s, size_t *steps)
{
	REQUIRE_OWNER(s);
	REQUIRE(s->ended);
	s->next_resend = NULL;
	if (!drop_some(s, &s->sent, steps) || !drop_some(s, &s->waiting, steps))
		return false;
	disk_queue_free(s);
	return true;
}
