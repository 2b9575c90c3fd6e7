/* Deliveries: what a session got, and may get, and how often. What must come: model_owed.c. D2, D3,
 * S3 */
#include <stdio.h>

#include "copy.h"
#include "match.h"

static bool looks_shared(const struct actor *p, const struct pub *pub, const struct received *r)
{
	return match_shares(p, pub, r) > 0;
}

static unsigned replays_possible(const struct actor *p, const struct pub *pub,
                                 const struct received *r)
{
	return match_replays(p, pub, r, false);
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

	return came < copy_routings(copy->pub);
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
	return copy_routings(d->pub) * (1 + match_shares(d->actor, d->pub, NULL)) +
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
	if (copy_first_times(copy) + copy->again == 0 && ordered)
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
	if (copy->live > copy_routings(d->pub) + copy->extra ||
	    copy->live + copy->replays + copy->either >
	        copy_routings(d->pub) + replays_most + copy->extra)
		refuse(d, "it comes twice");
	if (d->r->qos != 1 && copy->of_qos[d->r->qos] >= copies_at_most(d))
		refuse(d, "it comes twice, and not for the crash");
	if (has_one_new(d->actor, d->pub) &&
	    copy->live + copy->replays + copy->either >
	        copy_routings(d->pub) + copy->extra + copy->replays_anew)
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
	copy_append(&p->unsettled, &p->unsettled_count, &p->unsettled_cap, copy);
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
