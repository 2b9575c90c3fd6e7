/* Deliveries that must come, and did by a quiet point; what a crash may take. D1, D4 */
#include "copy.h"
#include "match.h"

static uint8_t lower(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

bool actor_is_blocked(const struct actor *p)
{
	return p->link != LINK_UP || p->must_close || p->client->stalled ||
	       p->client->unacked_count > 0;
}

static bool was_up(const struct actor *p, uint64_t since)
{
	return p->link == LINK_UP && !p->must_close && p->up_since < since;
}

static bool has_come(const struct copy *copy)
{
	return copy->live + copy->either + copy->again > 0;
}

static void cover_must(const struct copy *copy, bool at_most_once)
{
	struct model *m = copy->actor->model;

	if (at_most_once)
		COVER(m, MUST_LIVE);
	else if (copy->pub->first_sent < copy->actor->called)
		COVER(m, MUST_AFTER_AWAY);
	else
		COVER(m, MUST_QUEUED);
}

static void owe(struct actor *p, struct pub *pub, bool at_most_once)
{
	struct copy *copy = copy_of(p, pub);

	if (copy->must || pub->empty)
		return;
	if (has_come(copy)) {
		cover_must(copy, at_most_once);
		return;
	}
	copy->must = true;
	copy->must_at_most_once = at_most_once;
	copy_append(&p->owed, &p->owed_count, &p->owed_cap, copy);
}

void model_forget_owed(struct actor *p, bool qos0_only)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->owed_count; i++) {
		struct copy *copy = p->owed[i];

		if (qos0_only && !copy->must_at_most_once)
			p->owed[kept++] = copy;
		else
			copy->must = false;
	}
	p->owed_count = kept;
}

/* The QoS that it certainly has at least. */
static uint8_t certain_qos(const struct matches *all, const struct pub *pub)
{
	uint8_t qos = 0;

	for (unsigned i = 0; i < all->certain_count; i++) {
		if (all->certain[i]->with.qos > qos)
			qos = all->certain[i]->with.qos;
	}
	return lower(qos, pub->qos);
}

static void check_debt(struct actor *p, struct pub *pub)
{
	struct matches all;
	uint8_t qos;
	enum certainty may;

	if (p->exists != YES)
		return;
	match_find(p, pub, NULL, &all);
	if (all.certain_count == 0)
		return;
	if (all.certain_count > 1)
		COVER(p->model, OVERLAP);
	qos = certain_qos(&all, pub);
	if ((qos == 0 || p->expiry_s == 0) && !was_up(p, pub->first_sent))
		return;
	may = model_may(p->model, pub->first_sent, p->user, MAY_RECEIVE, pub->topic);
	if (may == NO)
		COVER(p->model, DENIED_RECEIVE);
	if (may == YES)
		owe(p, pub, qos == 0);
}

/* --- $share --- */

struct group_state {
	unsigned got;
	bool steady;    /* a member was present all the time, and may have it */
	bool unsettled; /* a member may have had it and left */
};

static void look_at_member(struct actor *p, struct pub *pub, const struct sub *sub,
                           struct group_state *out)
{
	enum certainty in = match_in_force(sub, pub);
	enum certainty may = model_may(p->model, pub->first_sent, p->user, MAY_RECEIVE, pub->topic);

	if (in == NO || may == NO)
		return;
	if (in == YES && may == YES && was_up(p, pub->first_sent) && !actor_is_blocked(p))
		out->steady = true;
	else
		out->unsettled = true;
}

/* One member and no more, if all of them were present all the time. [MQTT5-4.8.2-3] */
static void check_group(struct model *m, struct pub *pub, unsigned share)
{
	struct group_state group = {0};

	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		for (size_t k = 0; k < p->sub_count; k++) {
			if (strcmp(p->subs[k]->filter, share_names[share]) == 0 &&
			    filter_takes(p->subs[k]->match, pub->topic))
				look_at_member(p, pub, p->subs[k], &group);
		}
	}
	if (!group.steady || group.unsettled || model_now(m) <= m->departed_ms)
		return;
	for (struct copy *copy = pub->copies; copy != NULL; copy = copy->next)
		group.got += copy->shared[share];
	COVER(m, MUST_SHARED);
	if (group.got < 1 || group.got > copy_routings(pub))
		model_fail(m, "%s = %.20s came %u times to the members of %s", pub->topic,
		           pub->payload, group.got, share_names[share]);
}

static void check_groups(struct model *m, struct pub *pub)
{
	if (pub->routed != YES || pub->empty || pub->expires_min_ms <= model_now(m))
		return;
	for (unsigned share = 0; share < SHARE_NAMES; share++)
		check_group(m, pub, share);
}

/* --- 0x10 or not --- */

/* The subscriptions of an ended session are removed over several turns. Until then they may
 * count as subscribers, though nothing is delivered to them. */
static bool may_still_leave(const struct model *m, const struct sub *sub, const struct pub *pub)
{
	return world_has_small_slices(m->world) && sub->dead && sub->gone != NEVER &&
	       sub->gone >= m->last_quiet && sub->asked <= pub->closed &&
	       filter_takes(sub->match, pub->topic);
}

/* [MQTT5-3.4.2-1]: No matching subscribers. */
static void check_matched(struct model *m, const struct pub *pub)
{
	bool certain = false, possible = model_now(m) <= m->departed_ms;

	if (pub->matched == UNKNOWN)
		return;
	for (unsigned i = 0; i < m->actors_count; i++) {
		for (size_t k = 0; k < m->actors[i].sub_count; k++) {
			const struct sub *sub = m->actors[i].subs[k];
			enum certainty in =
			    filter_takes(sub->match, pub->topic) ? match_in_force(sub, pub) : NO;

			possible |= in != NO || may_still_leave(m, sub, pub);
			certain |=
			    in == YES && !(sub->with.no_local && match_is_own(&m->actors[i], pub));
		}
	}
	if (pub->matched == NO ? certain : !possible)
		model_fail(m, "%.20s to %s was acknowledged with%s subscribers", pub->payload,
		           pub->topic, pub->matched == NO ? "out" : "");
}

/* --- replays that must come --- */

static void check_replay_of(struct actor *p, const struct sub *sub, struct pub *pub)
{
	struct model *m = p->model;
	const struct copy *copy;

	if (pub == NULL || pub->empty || pub->routed != YES || pub->closed == NEVER ||
	    !filter_takes(sub->match, pub->topic) || model_is_shown(m, pub, sub->asked) != YES ||
	    model_may(m, sub->asked, p->user, MAY_RECEIVE, pub->topic) != YES)
		return;
	if (sub->with.no_local && match_is_own(p, pub)) /* [MQTT5-3.8.3-3] */
		return;
	if (sub->asked < p->up_since && (sub->with.qos == 0 || pub->qos == 0))
		return; /* it went with the connection */
	copy = copy_of(p, pub);
	COVER(m, MUST_REPLAY);
	if (copy_first_times(copy) + copy->again == 0)
		model_fail(m, "%s: the retained %s = %.20s was not given to %s", p->name,
		           pub->topic, pub->payload, sub->filter);
}

static void check_replays(struct actor *p)
{
	struct model *m = p->model;

	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *sub = p->subs[i];

		if (sub->replay_checked || sub->granted == NEVER)
			continue;
		sub->replay_checked = true;
		if (match_asks_replay(sub) != YES || sub->ended != NEVER)
			continue;
		if (sub->asked < p->up_since)
			COVER(m, REPLAY_RESUMED);
		for (unsigned k = 0; k < m->retained_topic_count; k++) {
			if (m->retained_topics[k].now.count == 1 &&
			    m->retained_topics[k].reverted < sub->asked)
				check_replay_of(p, sub, m->retained_topics[k].now.at[0].pub);
		}
	}
}

/* --- quiet --- */

static bool is_excused(const struct actor *p, const struct copy *copy)
{
	const struct pub *pub = copy->pub;

	if (pub->expires_min_ms <= model_now(p->model)) {
		COVER(p->model, EXPIRED_QUEUED);
		return true;
	}
	return model_may(p->model, pub->first_sent, p->user, MAY_RECEIVE, pub->topic) != YES;
}

static void check_owed(struct actor *p)
{
	for (size_t i = 0; i < p->owed_count; i++) {
		struct copy *copy = p->owed[i];

		if (has_come(copy))
			cover_must(copy, copy->must_at_most_once);
		else if (!is_excused(p, copy))
			model_fail(p->model, "%s never got %s = %.20s (QoS %u of %s)", p->name,
			           copy->pub->topic, copy->pub->payload, copy->pub->qos,
			           copy->pub->actor->name);
		copy->must = false;
	}
	p->owed_count = 0;
}

/* The broker knows what was acknowledged on a connection that still exists. */
static void settle(struct actor *p)
{
	for (size_t i = 0; i < p->unsettled_count; i++) {
		struct copy *copy = p->unsettled[i];

		copy->unsettled = false;
		if (actor_is_blocked(p) || copy->life != p->client->life)
			continue;
		copy->settled = copy_first_times(copy) > 0 ? copy_first_times(copy) : 1;
		copy->settled_at = p->model->tick;
		copy->settled_ms = model_now(p->model);
	}
	p->unsettled_count = 0;
}

static void quiet_actor(struct actor *p)
{
	if (!actor_is_blocked(p)) {
		check_owed(p);
		check_replays(p);
	}
	settle(p);
	if (p->client->stalled)
		return;
	p->drained = p->model->tick;
	p->drained_ms = model_now(p->model);
}

/* Closed ones are checked, and leave the list. */
static void check_closed(struct model *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->open_count; i++) {
		struct pub *pub = m->open[i];

		if (pub->closed == NEVER) {
			m->open[kept++] = pub;
			continue;
		}
		check_matched(m, pub);
		check_groups(m, pub);
		for (unsigned k = 0; pub->routed == YES && k < m->actors_count; k++)
			check_debt(&m->actors[k], pub);
	}
	m->open_count = kept;
}

void model_quiet_deliveries(struct model *m)
{
	check_closed(m);
	for (unsigned i = 0; i < m->actors_count; i++)
		quiet_actor(&m->actors[i]);
}

/* --- a crash --- */

/* Messages for an offline client that were on disk. */
static void forget_lost(struct actor *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->owed_count; i++) {
		struct copy *copy = p->owed[i];

		if (!pub_is_lost(p->model, copy->pub)) {
			p->owed[kept++] = copy;
			continue;
		}
		copy->must = false;
		if (copy->pub->durability == DURABILITY_NONE)
			COVER(p->model, LOST_NONE);
		else
			COVER(p->model, LOST_INTERVAL);
	}
	p->owed_count = kept;
}

/* Then the packet identifiers in use and what was sent are recorded. */
static bool has_ended(const struct model *m, const struct actor *p, bool in_order)
{
	return in_order || p->broken < m->last_quiet;
}

/* Its acknowledgement is recorded with the next commit, or after the interval: QoS 1 may be sent
 * again, also as if for the first time. */
static void allow_again(const struct model *m, struct copy *copy, bool in_order)
{
	unsigned times = copy_first_times(copy) > 0 ? copy_first_times(copy) : 1;

	if (has_ended(m, copy->actor, in_order) ||
	    model_is_written(m, copy->settled_at, copy->settled_ms))
		return;
	if (copy->of_qos[1] > 0)
		copy->extra += times < copy->of_qos[1] ? times : copy->of_qos[1];
	/* So is the fact that they were sent, but QoS 2 is committed before it is sent. */
	if (match_replays(copy->actor, copy->pub, NULL, true) > 0)
		copy->replays_anew += copy->replays + copy->either - copy->replays_qos2;
}

void model_crash_deliveries(struct model *m, bool in_order)
{
	check_closed(m);
	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		model_forget_owed(p, true);
		forget_lost(p);
		p->unsettled_count = 0;
		if (p->owed_count > 0)
			COVER(m, CRASH_QUEUED);
	}
	for (size_t i = 0; i < m->pub_count; i++) {
		for (struct copy *copy = m->pubs[i]->copies; copy != NULL; copy = copy->next) {
			copy->unsettled = false;
			allow_again(m, copy, in_order);
		}
	}
}
