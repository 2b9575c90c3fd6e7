/* Subscriptions: from when until when they may be, or must be, in force. D5 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model.h"

static bool is_over(const struct sub *sub)
{
	return sub->ended != NEVER;
}

void subs_end(struct actor *p, bool dead)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		if (!is_over(p->subs[i]))
			p->subs[i]->ended = p->model->tick;
		p->subs[i]->dead |= dead;
	}
}

/* The CONNECT that would have ended them was refused. */
void subs_revive(struct actor *p)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		if (p->subs[i]->ended == p->called)
			p->subs[i]->ended = NEVER;
	}
}

void subs_bury(struct actor *p)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		if (p->subs[i]->dead && p->subs[i]->gone == NEVER)
			p->subs[i]->gone = p->model->tick;
	}
}

static const char *without_share(const char *filter, bool *shared)
{
	*shared = strncmp(filter, "$share/", 7) == 0;
	return *shared ? strchr(filter + 7, '/') + 1 : filter;
}

/* Is there a subscription of this filter? */
static enum certainty has_sub(const struct actor *p, const char *filter)
{
	enum certainty has = NO;

	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *sub = p->subs[i];

		if (strcmp(sub->filter, filter) != 0 || sub->gone != NEVER)
			continue;
		if (sub->granted != NEVER && !is_over(sub))
			return YES;
		has = UNKNOWN;
	}
	return has;
}

static void end_sub(struct actor *p, const char *filter, uint16_t packet_id)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *sub = p->subs[i];

		if (strcmp(sub->filter, filter) != 0 || sub->gone != NEVER)
			continue;
		if (!is_over(sub))
			sub->ended = p->model->tick;
		sub->replaced_by = NULL;
		sub->unsubscribe_id = packet_id;
		sub->unsubscribed = p->model->tick;
		sub->cuts_replay = !p->hindered && !p->model->world->durable;
		/* To a kept session it was addressed when it was published. D1 */
		sub->cuts_live = sub->cuts_replay && !p->subscribed && !p->kept;
	}
}

static void replace_sub(struct actor *p, const struct sub *by)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *sub = p->subs[i];

		if (sub == by || strcmp(sub->filter, by->filter) != 0 || is_over(sub))
			continue;
		sub->ended = p->model->tick;
		sub->replaced_by = by;
	}
}

static struct sub *sub_new(struct actor *p, const struct subscribe_request *with)
{
	struct sub *sub = xnew(sub);

	if (p->sub_count == p->sub_cap) {
		p->sub_cap = p->sub_cap == 0 ? 16 : p->sub_cap * 2;
		p->subs = xrealloc_array(p->subs, p->sub_cap, sizeof(struct sub *));
	}
	p->subs[p->sub_count++] = sub;
	sub->filter = with->filter;
	sub->match = without_share(with->filter, &sub->shared);
	sub->with = *with;
	sub->asked = p->model->tick;
	sub->asked_ms = model_now(p->model);
	sub->granted = sub->ended = sub->gone = NEVER;
	return sub;
}

void model_subscribes(struct actor *p, uint16_t packet_id, const struct subscribe_request *requests,
                      size_t count)
{
	p->model->tick++;
	p->asked++;
	p->subscribed = true;
	for (size_t i = 0; i < count; i++) {
		enum certainty before = has_sub(p, requests[i].filter);
		struct sub *sub = sub_new(p, &requests[i]);

		sub->packet_id = packet_id;
		sub->was_new = before == NO ? YES : before == YES ? NO : UNKNOWN;
		replace_sub(p, sub);
	}
}

void model_unsubscribes(struct actor *p, uint16_t packet_id, const char *const *filters,
                        size_t count)
{
	p->model->tick++;
	p->asked++;
	for (size_t i = 0; i < count; i++)
		end_sub(p, filters[i], packet_id);
}

static void refuse_sub(struct actor *p, struct sub *sub, uint8_t code)
{
	struct model *m = p->model;
	uint8_t want = p->client->version == MQTT_5_0 ? (uint8_t)REASON_NOT_AUTHORIZED : 0x80;

	if (code != want)
		model_fail(m, "%s: SUBACK 0x%02x for %s", p->name, code, sub->filter);
	COVER(m, DENIED_SUBSCRIBE);
	sub->refused = true;
	sub->ended = sub->gone = m->tick;
	for (size_t i = 0; i < p->sub_count; i++) {
		if (p->subs[i]->replaced_by != sub)
			continue;
		p->subs[i]->replaced_by = NULL;
		p->subs[i]->ended = NEVER;
	}
}

static void grant_sub(struct actor *p, struct sub *sub)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *before = p->subs[i];

		if (before == sub || strcmp(before->filter, sub->filter) != 0 ||
		    before->asked > sub->asked || before->gone != NEVER)
			continue;
		if (!is_over(before))
			before->ended = sub->asked;
		before->gone = p->model->tick;
	}
	sub->granted = p->model->tick;
}

/* Refused, it changes nothing; granted, it takes the place of the one before.
 * [MQTT5-3.8.4-3] [MQTT3-3.8.4-3] */
static void check_suback(struct actor *p, struct sub *sub, uint8_t code)
{
	struct model *m = p->model;
	enum certainty may = model_may_filter(m, sub->asked, p->user, sub->match);

	if (code >= 0x80 ? may == YES : may == NO)
		model_fail(m, "%s: SUBACK 0x%02x for %s, which is %s", p->name, code, sub->filter,
		           may == NO ? "denied" : "allowed");
	if (code >= 0x80) {
		refuse_sub(p, sub, code);
		return;
	}
	if (code != sub->with.qos)
		model_fail(m, "%s: SUBACK 0x%02x for %s, asked was QoS %u", p->name, code,
		           sub->filter, sub->with.qos);
	grant_sub(p, sub);
	if (sub->was_new == YES && p->expiry_s > 0)
		model_commits(m, sub->asked, sub->asked_ms);
}

static void on_suback(struct actor *p, const struct answer *a)
{
	size_t n = 0;

	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *sub = p->subs[i];

		if (sub->packet_id != a->packet_id || sub->granted != NEVER || sub->refused ||
		    sub->asked < p->called)
			continue;
		if (n == a->reason_count)
			model_fail(p->model, "%s: SUBACK is too short", p->name);
		check_suback(p, sub, a->reasons[n++]);
		sub->packet_id = 0;
	}
	if (n != a->reason_count)
		model_fail(p->model, "%s: SUBACK with %zu codes, asked was for %zu", p->name,
		           a->reason_count, n);
}

static void on_unsuback(struct actor *p, const struct answer *a)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		struct sub *sub = p->subs[i];

		if (sub->unsubscribe_id == a->packet_id && sub->gone == NEVER &&
		    sub->unsubscribed >= p->called)
			sub->gone = p->model->tick;
		if (sub->gone == p->model->tick && sub->cuts_replay)
			COVER(p->model, UNSUBSCRIBED);
	}
}

void model_answered(struct actor *p, const struct answer *a)
{
	struct model *m = p->model;

	m->tick++;
	m->coverage->received[a->type]++;
	for (size_t i = 0; i < a->reason_count; i++)
		m->coverage->reasons[a->type][a->reasons[i]]++;
	if (a->type == PACKET_SUBACK)
		on_suback(p, a);
	else if (a->type == PACKET_UNSUBACK)
		on_unsuback(p, a);
	if (a->type != PACKET_DISCONNECT && p->asked > 0)
		p->asked--;
}
