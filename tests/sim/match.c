/* See match.h. */
#include "match.h"

/* --- which subscriptions --- */

bool match_is_own(const struct actor *p, const struct pub *pub)
{
	return pub->actor == p &&
	       pub->entry == p->entry; /* a user of the same name is another client */
}

enum certainty match_in_force(const struct sub *sub, const struct pub *pub)
{
	if (sub->refused || sub->asked > pub->closed || sub->gone < pub->first_sent)
		return NO;
	if (sub->granted < pub->first_sent && (sub->ended == NEVER || sub->ended > pub->closed))
		return YES;
	return UNKNOWN;
}

/* Nothing is added after an UNSUBACK; what was sent on an earlier connection comes again.
 * [MQTT-3.10.4-2] */
static bool is_cut(const struct sub *sub, bool cuts, const struct received *r)
{
	return cuts && r != NULL && !r->dup && sub->gone != NEVER && sub->gone > sub->unsubscribed;
}

void match_find(const struct actor *p, const struct pub *pub, const struct received *r,
                struct matches *out)
{
	out->certain_count = out->possible_count = 0;
	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *sub = p->subs[i];
		enum certainty in = match_in_force(sub, pub);

		if (in == NO || sub->shared || is_cut(sub, sub->cuts_live, r) ||
		    !filter_takes(sub->match, pub->topic))
			continue;
		if (sub->with.no_local && match_is_own(p, pub)) {
			COVER(p->model, NO_LOCAL);
			continue; /* [MQTT5-3.8.3-3] */
		}
		if (in == YES && out->certain_count < 64)
			out->certain[out->certain_count++] = sub;
		else if (out->possible_count < 64)
			out->possible[out->possible_count++] = sub;
	}
}

/* --- does a delivery look as its subscriptions ask? --- */

struct look {
	uint8_t qos;
	bool retain;
	uint32_t ids[IDS_MAX];
	unsigned id_count;
};

static uint8_t lower(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

static void look_add(struct look *look, const struct sub *sub, const struct pub *pub, bool v5)
{
	if (sub->with.qos > look->qos)
		look->qos = sub->with.qos;
	look->retain |= sub->with.retain_as_published && pub->retain && v5;
	if (!v5 || sub->with.id == 0)
		return;
	/* The same identifier as often as it was given: section 3.3.4. */
	if (look->id_count < IDS_MAX)
		look->ids[look->id_count++] = sub->with.id;
}

static unsigned times_id(const uint32_t *ids, unsigned count, uint32_t id)
{
	unsigned times = 0;

	for (unsigned i = 0; i < count; i++)
		times += ids[i] == id;
	return times;
}

static bool same_ids(const struct look *look, const struct received *r)
{
	if (look->id_count != r->id_count)
		return false;
	for (unsigned i = 0; i < look->id_count; i++) {
		if (times_id(r->ids, r->id_count, look->ids[i]) !=
		    times_id(look->ids, look->id_count, look->ids[i]))
			return false;
	}
	return true;
}

static bool is_look(const struct look *look, const struct pub *pub, const struct received *r)
{
	return lower(look->qos, pub->qos) == r->qos && look->retain == r->retain &&
	       same_ids(look, r);
}

/* Does nothing that it adds contradict this delivery? */
static bool may_be_in(const struct sub *sub, const struct pub *pub, const struct received *r,
                      bool v5)
{
	struct look look = {0};

	look_add(&look, sub, pub, v5);
	return lower(look.qos, pub->qos) <= r->qos && (!look.retain || r->retain) &&
	       (look.id_count == 0 || times_id(r->ids, r->id_count, look.ids[0]) > 0);
}

/* With all certain ones, and of the possible ones those without an identifier that do not
 * contradict it; of those with one, some choice. [MQTT5-3.3.4-2, -3] [MQTT3-3.3.5-1] */
bool match_looks_live(const struct actor *p, const struct pub *pub, const struct received *r)
{
	bool v5 = p->client->version == MQTT_5_0;
	const struct sub *choices[COMBINATIONS_MAX];
	struct look certain = {0};
	struct matches all;
	unsigned bits = 0, taken;

	match_find(p, pub, r, &all);
	taken = all.certain_count;
	for (unsigned i = 0; i < all.certain_count; i++)
		look_add(&certain, all.certain[i], pub, v5);
	for (unsigned i = 0; i < all.possible_count; i++) {
		const struct sub *sub = all.possible[i];

		if (!may_be_in(sub, pub, r, v5))
			continue;
		if (v5 && sub->with.id != 0 && bits < COMBINATIONS_MAX) {
			choices[bits++] = sub;
			continue;
		}
		look_add(&certain, sub, pub, v5);
		taken++;
	}
	for (unsigned choice = 0; choice < 1u << bits; choice++) {
		struct look look = certain;

		if (choice == 0 && taken == 0)
			continue;
		for (unsigned i = 0; i < bits; i++) {
			if ((choice >> i & 1) != 0)
				look_add(&look, choices[i], pub, v5);
		}
		if (is_look(&look, pub, r))
			return true;
	}
	return false;
}

/* A message that its member did not take goes to another member, even one that joined later. r
 * NULL: whatever it looks like. */
unsigned match_shares(const struct actor *p, const struct pub *pub, const struct received *r)
{
	unsigned count = 0;

	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *sub = p->subs[i];
		struct look look = {0};

		if (!sub->shared || sub->refused || sub->gone < pub->first_sent ||
		    !filter_takes(sub->match, pub->topic))
			continue;
		look_add(&look, sub, pub, true);
		count += r == NULL || is_look(&look, pub, r);
	}
	return count;
}

/* --- replays --- */

/* [MQTT3-3.3.1-6] [MQTT5-3.3.1-9, -10, -11] */
enum certainty match_asks_replay(const struct sub *sub)
{
	if (sub->refused || sub->shared || sub->with.retain_handling == 2)
		return NO;
	return sub->with.retain_handling == 0 ? YES : sub->was_new;
}

/* After a crash a replay that was not recorded as done begins again, with the subscription's
 * options of now: one of QoS 1 or 2, or that was. `given`: part of it was sent before. */
static bool begins_anew(const struct actor *p, const struct sub *sub, bool given)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *before = p->subs[i];

		if (before->asked <= sub->asked && (before->with.qos > 0 || sub->with.qos > 0) &&
		    match_asks_replay(before) != NO && strcmp(before->filter, sub->filter) == 0 &&
		    (given || (!before->replay_checked && sub->asked < p->model->crashed)))
			return true;
	}
	return false;
}

/* A subscription that asks for no replay continues the one that it replaces. [MQTT5-3.8.4-4] */
static bool goes_on(const struct actor *p, const struct sub *sub)
{
	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *before = p->subs[i];

		if (before != sub && before->asked <= sub->asked && !before->replay_checked &&
		    match_asks_replay(before) != NO && strcmp(before->filter, sub->filter) == 0)
			return true;
	}
	return false;
}

static bool is_replayed(const struct actor *p, const struct sub *sub, const struct received *r,
                        bool anew)
{
	if (sub->refused)
		return false;
	if (anew)
		return begins_anew(p, sub, true);
	return match_asks_replay(sub) != NO ||
	       (r != NULL && (goes_on(p, sub) || begins_anew(p, sub, false)));
}

unsigned match_replays(const struct actor *p, const struct pub *pub, const struct received *r,
                       bool anew)
{
	unsigned count = 0;

	if (!pub->retain || pub->empty || (r != NULL && !r->retain))
		return 0;
	for (size_t i = 0; i < p->sub_count; i++) {
		const struct sub *sub = p->subs[i];
		struct look look = {0};

		if (!is_replayed(p, sub, r, anew) || is_cut(sub, sub->cuts_replay, r) ||
		    sub->asked > pub->retained_until || !filter_takes(sub->match, pub->topic))
			continue;
		look_add(&look, sub, pub, p->client->version == MQTT_5_0);
		look.retain = true;
		count += r == NULL || is_look(&look, pub, r);
	}
	return count;
}
