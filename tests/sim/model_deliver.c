/* Deliveries: what each session may get, must get, and how often. D1, D2, D3, S3 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "match.h"

static uint8_t lower(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

static bool looks_shared(const struct actor *p, const struct pub *pub, const struct received *r)
{
	return match_shares(p, pub, r) > 0;
}

static unsigned replays_possible(const struct actor *p, const struct pub *pub,
                                 const struct received *r)
{
	return match_replays(p, pub, r, false);
}

/* --- copies --- */

static struct copy *copy_of(struct actor *p, struct pub *pub)
{
	struct copy *copy;

	for (copy = pub->copies; copy != NULL; copy = copy->next) {
		if (copy->actor == p && copy->incarnation == p->incarnation)
			return copy;
	}
	copy = xnew(copy);
	copy->pub = pub;
	copy->settled_at = copy->settled_ms = NEVER;
	copy->actor = p;
	copy->incarnation = p->incarnation;
	copy->next = pub->copies;
	pub->copies = copy;
	return copy;
}

static void append(struct copy ***list, size_t *count, size_t *cap, struct copy *copy)
{
	if (*count == *cap) {
		*cap = *cap == 0 ? 16 : *cap * 2;
		*list = xrealloc_array(*list, *cap, sizeof(struct copy *));
	}
	(*list)[(*count)++] = copy;
}

static unsigned shared_times(const struct copy *copy)
{
	unsigned times = 0;

	for (unsigned i = 0; i < SHARE_NAMES; i++)
		times += copy->shared[i];
	return times;
}

static unsigned first_times(const struct copy *copy)
{
	return copy->live + copy->replays + copy->either + shared_times(copy);
}

static unsigned routings(const struct pub *pub)
{
	return pub->qos == 2 && pub->durability == DURABILITY_ACK ? 1 : pub->transmissions;
}

/* --- whose message is it? --- */

struct delivery_at {
	struct actor *actor;
	struct pub *pub;
	struct copy *copy;
	const struct received *r;
};

/* NULL: nothing. [MQTT5-3.3.2-5, -6] */
static const char *wrong_with_expiry(const struct delivery_at *d)
{
	const struct pub *pub = d->pub;
	const struct actor *p = d->actor;
	uint64_t now = model_now(p->model);
	uint64_t since = p->drained_ms;

	if (p->client->version == MQTT_5_0 && d->r->has_expiry != pub->has_expiry)
		return "its Message Expiry Interval came or went";
	if (!pub->has_expiry)
		return NULL;
	if (!d->r->dup && since >= pub->expires_max_ms && pub->last_sent < p->drained)
		return "it has expired";
	if (p->client->version != MQTT_5_0 || pub->expires_min_ms < now)
		return NULL;
	COVER(p->model, EXPIRY_COUNTED);
	if (d->r->expiry_s < (pub->expires_min_ms - now + 999) / 1000 ||
	    d->r->expiry_s > (pub->expires_max_ms - since + 999) / 1000)
		return "its Message Expiry Interval is wrong";
	return NULL;
}

/* [MQTT5-3.3.2-4, -15, -16, -17, -18] */
static bool has_extras(const struct actor *p, const struct pub *pub, const struct received *r)
{
	return strcmp(r->extras, p->client->version == MQTT_5_0 ? pub->extras : "") == 0;
}

static bool is_candidate(struct actor *p, struct pub *pub, const struct received *r)
{
	const struct delivery_at d = {.actor = p, .pub = pub, .r = r};

	return pub->empty && pub->first_sent != NEVER && pub->routed != NO &&
	       strcmp(pub->topic, r->topic) == 0 && has_extras(p, pub, r) &&
	       (match_looks_live(p, pub, r) || looks_shared(p, pub, r)) &&
	       wrong_with_expiry(&d) == NULL;
}

static bool is_shared(const struct received *r)
{
	return r->id_count == 1 && r->ids[0] >= SHARE_IDS;
}

static bool has_space(const struct copy *copy, const struct received *r)
{
	unsigned came =
	    is_shared(r) ? copy->shared[r->ids[0] - SHARE_IDS] : copy->live + copy->either;

	return came < routings(copy->pub);
}

/* Deletions have no name: the oldest that fits and has not arrived. */
static struct pub *find_empty(struct actor *p, const struct received *r)
{
	struct model *m = p->model;
	struct pub *last = NULL;

	for (size_t i = 0; i < m->pub_count; i++) {
		struct pub *pub = m->pubs[i];

		if (!is_candidate(p, pub, r))
			continue;
		last = pub;
		if (!r->dup && has_space(copy_of(p, pub), r))
			return pub;
	}
	return last;
}

static struct pub *find_pub(struct actor *p, const struct received *r)
{
	struct model *m = p->model;
	unsigned long id;

	if (r->payload_len == 0)
		return find_empty(p, r);
	id = strtoul(r->payload, NULL, 10);
	if (id >= m->pub_count || strcmp(m->pubs[id]->payload, r->payload) != 0 ||
	    strcmp(m->pubs[id]->topic, r->topic) != 0)
		return NULL;
	return m->pubs[id];
}

/* --- judging one --- */

_Noreturn static void refuse(const struct delivery_at *d, const char *why)
{
	const struct received *r = d->r;

	model_fail_as(
	    d->actor->model, why,
	    "%s got %s = %.20s (QoS %u%s%s, %u ids, first %u; published by %s with QoS %u%s): "
	    "%s",
	    d->actor->name, r->topic, r->payload, r->qos, r->dup ? ", dup" : "",
	    r->retain ? ", retain" : "", r->id_count, r->id_count > 0 ? r->ids[0] : 0,
	    d->pub->actor->name, d->pub->qos, d->pub->retain ? ", retained" : "", why);
}

/* Its publisher sent it again, and the first time it may have been routed before a subscription
 * was made, or denied. */
static bool may_come_late(const struct delivery_at *d)
{
	const struct pub *pub = d->pub;

	return pub->transmissions > 1 &&
	       (pub->qos == 1 || pub->durability != DURABILITY_ACK ||
	        model_may(d->actor->model, pub->first_sent, pub->actor->user, MAY_PUBLISH,
	                  pub->topic) != YES);
}

/* It was not permitted when it was its turn; the crash may have undone that it was dropped, and
 * today it may be permitted. */
static bool was_held_back(const struct delivery_at *d)
{
	const struct model *m = d->actor->model;

	return m->crashed > d->pub->first_sent &&
	       model_may(m, d->pub->first_sent, d->actor->user, MAY_RECEIVE, d->pub->topic) != YES;
}

/* Per publisher, published and effective QoS: a message that may be late does not overtake one
 * that may not. [MQTT3-4.6.0-5, -6] [MQTT5-4.6.0-5, -6] */
static void check_order(const struct delivery_at *d)
{
	struct pub *pub = d->pub;
	unsigned *last = d->actor->last_order[pub->actor->index][pub->qos][d->r->qos];
	unsigned newest = last[pub->durability];

	if (pub->is_will || pub->empty || may_come_late(d) || was_held_back(d))
		return;
	COVER(d->actor->model, ORDER);
	if (pub->durability == DURABILITY_ACK && last[DURABILITY_INTERVAL] > newest)
		newest = last[DURABILITY_INTERVAL];
	if (pub->order < newest)
		refuse(d, "a later one of the same publisher came before");
	last[pub->durability] = pub->order;
}

/* How many copies of it there may be at most, each of which may be sent again. */
static unsigned copies_at_most(const struct delivery_at *d)
{
	return routings(d->pub) * (1 + match_shares(d->actor, d->pub, NULL)) +
	       replays_possible(d->actor, d->pub, NULL) + d->copy->replays_anew;
}

/* Only one that was sent on an earlier connection, and whose acknowledgement the broker may not
 * have received. [MQTT-4.4.0-1] */
static void check_again(const struct delivery_at *d, bool ordered)
{
	struct copy *copy = d->copy;
	unsigned most = copies_at_most(d);

	COVER(d->actor->model, DUPLICATE);
	if (d->r->qos == 0)
		refuse(d, "DUP with QoS 0");
	if (d->pub->empty)
		return; /* which of them it is cannot be known */
	if (d->pub->first_sent > d->actor->up_since || !d->actor->client->session_present)
		refuse(d, "DUP, and it was not sent on an earlier connection");
	if (copy->settled >= most + copy->extra)
		refuse(d, "it was acknowledged, and comes again");
	if (d->r->qos == 2 && copy->of_qos[2] >= most)
		refuse(d, "QoS 2, and it comes a second time");
	copy->again_now = copy->life == d->actor->client->life ? copy->again_now + 1 : 1;
	if (copy->again_now > most + copy->extra)
		refuse(d, "DUP twice on one connection");
	if (first_times(copy) + copy->again == 0 && ordered)
		check_order(d);
	copy->again++;
}

/* To one new subscription alone, each change is sent live or replayed, never both. */
static bool has_one_new(const struct actor *p, const struct pub *pub)
{
	const struct sub *only = NULL;

	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *sub = p->subs[i];

		if (sub->refused || sub->shared || sub->gone < pub->first_sent ||
		    !filter_takes(sub->match, pub->topic))
			continue;
		if (only != NULL)
			return false;
		only = sub;
	}
	return only != NULL && only->was_new == YES;
}

static void check_first(const struct delivery_at *d, bool live, unsigned replays)
{
	struct copy *copy = d->copy;
	unsigned replays_most = replays_possible(d->actor, d->pub, NULL) + copy->replays_anew;

	if (live && replays > 0)
		copy->either++;
	else if (live)
		copy->live++;
	else
		copy->replays++;
	copy->replays_qos2 += replays > 0 && d->r->qos == 2;
	if (d->pub->empty)
		return; /* which of them it is, is a guess */
	if (copy->live > routings(d->pub) + copy->extra ||
	    copy->live + copy->replays + copy->either >
	        routings(d->pub) + replays_most + copy->extra)
		refuse(d, "it comes twice");
	if (d->r->qos != 1 && copy->of_qos[d->r->qos] >= copies_at_most(d))
		refuse(d, "it comes twice, and not for the crash");
	if (has_one_new(d->actor, d->pub) &&
	    copy->live + copy->replays + copy->either >
	        routings(d->pub) + copy->extra + copy->replays_anew)
		refuse(d, "it comes live, and is replayed too");
	if (copy->replays > replays_most + copy->extra)
		refuse(d, "it is replayed twice");
	if (replays > 0)
		COVER(d->actor->model, REPLAY);
	if (live && replays == 0 && copy->live == 1 && copy->again == 0)
		check_order(d);
}

static void check_shared(const struct delivery_at *d)
{
	COVER(d->actor->model, SHARED);
	d->copy->shared[d->r->ids[0] - SHARE_IDS]++;
}

static void note(const struct delivery_at *d)
{
	struct copy *copy = d->copy;
	struct actor *p = d->actor;

	copy->life = p->client->life;
	copy->settled_at = copy->settled_ms = NEVER;
	copy->of_qos[d->r->qos]++;
	if (d->pub->is_will)
		COVER(p->model, WILL_RECEIVED);
	if (d->r->extras[0] != '\0')
		COVER(p->model, EXTRAS);
	if (d->r->aliased)
		COVER(p->model, ALIAS_RESOLVED);
	if (d->r->id_count > 1)
		COVER(p->model, SUBSCRIPTION_IDS);
	if (copy->unsettled)
		return;
	copy->unsettled = true;
	append(&p->unsettled, &p->unsettled_count, &p->unsettled_cap, copy);
}

/* Passes every check, or fails. */
static void check(struct delivery_at *d)
{
	struct actor *p = d->actor;
	const struct received *r = d->r;
	bool live = match_looks_live(p, d->pub, r);
	unsigned replays = replays_possible(p, d->pub, r);
	bool shared = is_shared(r) && looks_shared(p, d->pub, r);

	if (d->pub->first_sent == NEVER)
		refuse(d, d->pub->is_will ? "a will that is not due" : "it was never sent");
	if (d->pub->routed == NO)
		refuse(d, "it was not permitted, or cancelled");
	if (model_may(p->model, p->drained, p->user, MAY_RECEIVE, r->topic) == NO)
		refuse(d, "S3: he may not receive it");
	if (replays == 0 && copy_of(p, d->pub)->replays_anew > 0)
		replays = match_replays(p, d->pub, r, true);
	if (!live && replays == 0 && !shared)
		refuse(d, "no subscription of his gives it like that");
	if (wrong_with_expiry(d) != NULL)
		refuse(d, wrong_with_expiry(d));
	if (!has_extras(p, d->pub, r))
		refuse(d, "its properties are not those it was published with");
	d->copy = copy_of(p, d->pub);
	if (r->dup)
		check_again(d, live && replays == 0);
	else if (shared)
		check_shared(d);
	else
		check_first(d, live, replays);
	note(d);
}

static void check_window(struct actor *p, const struct received *r)
{
	const struct client *c = p->client;
	uint16_t most = p->options.receive_maximum;

	if (r->qos == 0)
		return;
	for (size_t i = 0; i < c->unacked_count; i++) {
		if (c->unacked[i].packet_id == r->packet_id)
			model_fail(p->model, "%s: packet identifier %u is in use", p->name,
			           r->packet_id);
	}
	if (c->version == MQTT_5_0 && most != 0 && c->unacked_count + 1 > most)
		model_fail(p->model, "%s: more than Receive Maximum",
		           p->name); /* [MQTT5-3.3.4-9] */
}

static void report(const struct actor *p, const struct received *r)
{
	printf("        %s gets %s = %.20s, QoS %u, packet identifier %u%s%s\n", p->name, r->topic,
	       r->payload, r->qos, r->packet_id, r->dup ? ", dup" : "",
	       r->retain ? ", retain" : "");
}

void model_received(struct actor *p, const struct received *r)
{
	struct model *m = p->model;
	struct delivery_at d = {.actor = p, .r = r};

	m->tick++;
	m->coverage->received[PACKET_PUBLISH]++;
	if (m->reports)
		report(p, r);
	check_window(p, r);
	d.pub = find_pub(p, r);
	if (d.pub == NULL)
		model_fail(m, "%s got %s = %.20s, which nobody published", p->name, r->topic,
		           r->payload);
	check(&d);
}

void model_again(struct actor *p, const struct received *r)
{
	p->model->tick++;
	COVER(p->model, AGAIN_QOS2);
	if (!r->dup)
		model_fail(p->model, "%s: packet identifier %u is in use (QoS 2, %s)", p->name,
		           r->packet_id, r->payload);
}

/* --- what must come --- */

bool actor_is_blocked(const struct actor *p)
{
	return p->link != LINK_UP || p->doomed || p->client->stalled ||
	       p->client->unacked_count > 0;
}

static bool was_up(const struct actor *p, uint64_t since)
{
	return p->link == LINK_UP && !p->doomed && p->up_since < since;
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
	append(&p->owed, &p->owed_count, &p->owed_cap, copy);
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
	match_find(p, pub, &all);
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
	if (group.got < 1 || group.got > routings(pub))
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
	if (sub->with.no_local && match_is_own(p, pub) &&
	    (pub->last_sent > sub->asked || (m->low && !(pub->acked_at < sub->asked))))
		return;
	if (sub->asked < p->up_since && (sub->with.qos == 0 || pub->qos == 0))
		return; /* it went with the connection */
	copy = copy_of(p, pub);
	COVER(m, MUST_REPLAY);
	if (first_times(copy) + copy->again == 0)
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
		for (unsigned k = 0; k < m->cell_count; k++) {
			if (m->cells[k].now.count == 1 && m->cells[k].reverted < sub->asked)
				check_replay_of(p, sub, m->cells[k].now.at[0].pub);
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
		copy->settled = first_times(copy) > 0 ? first_times(copy) : 1;
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
	unsigned times = first_times(copy) > 0 ? first_times(copy) : 1;

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
