/* Publications: when each may have been routed, whether it was, and what is retained.  D4, D6, S3
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "extras.h"
#include "model.h"

struct pub *model_pub(struct actor *p, const char *topic, const char *payload, uint32_t extras)
{
	struct model *m = p->model;
	struct pub *pub = xnew(pub);

	if (m->pub_count == m->pub_cap) {
		m->pub_cap = m->pub_cap == 0 ? 256 : m->pub_cap * 2;
		m->pubs = xrealloc_array(m->pubs, m->pub_cap, sizeof(struct pub *));
	}
	pub->id = (unsigned)m->pub_count;
	m->pubs[m->pub_count++] = pub;
	pub->actor = p;
	pub->topic = topic;
	pub->payload = xstrdup(payload);
	pub->extras = extras_expected(extras);
	pub->durability = m->durability[rules_root(topic)];
	pub->entry = p->entry;
	pub->empty = payload[0] == '\0';
	pub->first_sent = pub->last_sent = pub->closed = pub->retained_until = NEVER;
	pub->expires_min_ms = pub->expires_max_ms = pub->will_due_ms = NEVER;
	pub->matched = pub->routed = UNKNOWN;
	pub->acked_at = NEVER;
	return pub;
}

static void open_pub(struct model *m, struct pub *pub)
{
	pub->closed = NEVER;
	for (size_t i = 0; i < m->open_count; i++) {
		if (m->open[i] == pub)
			return;
	}
	if (m->open_count == m->open_cap) {
		m->open_cap = m->open_cap == 0 ? 64 : m->open_cap * 2;
		m->open = xrealloc_array(m->open, m->open_cap, sizeof(struct pub *));
	}
	m->open[m->open_count++] = pub;
}

/* --- on its way --- */

static void begin_life(struct model *m, struct pub *pub)
{
	uint64_t end = model_now(m) + (uint64_t)pub->expiry_s * 1000;

	if (!pub->has_expiry)
		return;
	if (pub->expires_min_ms == NEVER)
		pub->expires_min_ms = end;
	pub->expires_max_ms =
	    m->low ? end + 1000 : end; /* it may not even be read until there is space */
}

void model_sent(struct actor *p, struct pub *pub)
{
	struct model *m = p->model;

	m->tick++;
	m->coverage->sent[PACKET_PUBLISH]++;
	pub->transmissions++;
	if (m->reports)
		printf("        %s sends %s = %.20s, QoS %u%s\n", p->name, pub->topic, pub->payload,
		       pub->qos, pub->transmissions > 1 ? ", again" : "");
	if (pub->transmissions > 1)
		COVER(m, RESENT_BY_CLIENT);
	if (pub->first_sent == NEVER) {
		pub->first_sent = m->tick;
		pub->order = ++p->orders;
	}
	pub->last_sent = m->tick;
	pub->last_sent_ms = model_now(m);
	pub->entry = p->entry;
	pub->routed = UNKNOWN;
	pub->life = p->client->life;
	begin_life(m, pub);
	open_pub(m, pub);
	if (pub->retain && (pub->qos < 2 || !value_has(m, pub)))
		value_add(m, pub);
}

/* By now the broker has it, if it may have waited for space. */
static void note_taken(const struct model *m, struct pub *pub)
{
	if (m->low)
		pub->last_sent_ms = model_now(m);
}

/* Its acknowledgement waits for a commit, whoever has subscribed. */
static bool is_from_disk(const struct pub *pub)
{
	return pub->routed == YES && pub->transmissions == 1 && pub->durability == DURABILITY_ACK &&
	       ((pub->retain && !pub->empty) || (pub->qos == 2 && pub->actor->expiry_s > 0));
}

/* [MQTT3-3.3.5-2]: 3.1.1 is not told of a denial. */
void model_acked(struct actor *p, struct pub *pub, enum packet_type type, enum reason reason)
{
	struct model *m = p->model;
	bool denied = reason == REASON_NOT_AUTHORIZED;
	enum certainty may = model_may(m, pub->first_sent, p->user, MAY_PUBLISH, pub->topic);

	m->tick++;
	m->coverage->received[type]++;
	m->coverage->reasons[type][reason]++;
	if (m->reports)
		printf("        %s hears %s 0x%02x of %.20s\n", p->name, packet_type_name(type),
		       reason, pub->payload);
	if (type == PACKET_PUBCOMP)
		return;
	pub->acked = true;
	pub->acked_at = m->tick;
	if (reason >= 0x80 && !denied)
		model_fail(m, "%s: %s 0x%02x for %.20s", p->name, packet_type_name(type), reason,
		           pub->payload);
	if (p->client->version == MQTT_5_0 && (denied ? may == YES : may == NO))
		model_fail(m, "%s: %s 0x%02x for %.20s to %s", p->name, packet_type_name(type),
		           reason, pub->payload, pub->topic);
	if (denied)
		COVER(m, DENIED_PUBLISH);
	/* Denied the second time, it may have been routed the first time. */
	if (p->client->version != MQTT_5_0)
		pub->routed = may;
	else
		pub->routed = !denied ? YES : pub->transmissions > 1 ? UNKNOWN : NO;
	if (pub->routed == NO && pub->retain)
		value_remove(m, pub);
	if (is_from_disk(pub))
		model_commits(m, pub->first_sent, pub->last_sent_ms);
	note_taken(m, pub);
	if (p->client->version == MQTT_5_0 && !denied && pub->transmissions == 1)
		pub->matched = reason == REASON_NO_MATCHING_SUBSCRIBERS ? NO : YES;
}

void model_will_published(struct pub *will, enum certainty certain)
{
	struct model *m = will->actor->model;

	will->is_published = certain;
	will->routed = UNKNOWN;
	if (will->first_sent != NEVER)
		return;
	will->first_sent = will->last_sent = ++m->tick;
	will->last_sent_ms = model_now(m);
	will->transmissions = 1;
	begin_life(m, will);
	if (will->has_expiry && will->will_due_ms != NEVER)
		will->expires_max_ms = will->will_due_ms + (uint64_t)will->expiry_s * 1000;
	if (will->retain)
		value_add(m, will);
	open_pub(m, will);
}

void model_will_not_published(struct pub *will)
{
	struct model *m = will->actor->model;
	size_t kept = 0;

	will->first_sent = will->last_sent = NEVER;
	will->routed = NO;
	will->expires_min_ms = will->expires_max_ms = NEVER;
	if (will->retain)
		value_remove(m, will);
	for (size_t i = 0; i < m->open_count; i++) {
		if (m->open[i] != will)
			m->open[kept++] = m->open[i];
	}
	m->open_count = kept;
}

/* --- quiet --- */

/* Nothing was lost in flight: by now it has arrived. */
static bool arrived(const struct pub *pub)
{
	const struct actor *p = pub->actor;

	return pub->life == p->client->life && p->link == LINK_UP;
}

static void close_will(struct model *m, struct pub *will)
{
	enum certainty may =
	    model_may(m, will->first_sent, will->actor->user, MAY_WILL, will->topic);

	will->routed =
	    will->is_published == YES || will->published_when_due || may == NO ? may : UNKNOWN;
}

static void close_publish(struct model *m, struct pub *pub)
{
	enum certainty may =
	    model_may(m, pub->first_sent, pub->actor->user, MAY_PUBLISH, pub->topic);

	if (!pub->acked)
		pub->routed = arrived(pub) || may == NO ? may : UNKNOWN;
}

static void close_pub(struct model *m, struct pub *pub)
{
	pub->closed = m->tick;
	note_taken(m, pub);
	if (pub->is_will)
		close_will(m, pub);
	else
		close_publish(m, pub);
	if (!pub->retain)
		return;
	if (pub->routed == NO)
		value_remove(m, pub);
	else if (pub->routed == YES && !pub->value_dropped)
		value_settle(m, pub);
}

/* A will that may be published stays open until it cannot any more. */
static bool stays_open(const struct model *m, const struct pub *pub)
{
	return pub->is_will && pub->is_published == UNKNOWN && pub->will_due_ms != NEVER &&
	       pub->will_due_ms > model_now(m);
}

/* In the order in which they were sent, so that the last of each actor settles last. The list
 * stays for the checks of what became of them. */
void model_quiet_publications(struct model *m)
{
	for (size_t i = 0; i < m->open_count; i++) {
		if (!stays_open(m, m->open[i]))
			close_pub(m, m->open[i]);
	}
	values_quiet(m);
}

/* --- a crash --- */

static void crash_pub(struct model *m, struct pub *pub)
{
	COVER(m, CRASH_UNACKED);
	pub->life = 0; /* it may have been lost in flight */
	close_pub(m, pub);
}

/* One that was about to be published is published when the broker runs again, if it was stored. */
static void crash_open_will(const struct model *m, struct pub *will)
{
	will->published_when_due = false;
	if (!model_is_written(m, will->armed_at, will->armed_ms) && will->is_published == YES)
		will->is_published = UNKNOWN;
	/* If it was published before, its retained message is dropped at the start. */
	will->value_dropped |= will->first_sent < m->crashed &&
	                       m->durability[rules_root(will->topic)] == DURABILITY_NONE;
	if (will->has_expiry && (will->will_due_ms == NEVER || will->will_due_ms <= model_now(m)))
		will->expires_max_ms = model_now(m) + (uint64_t)will->expiry_s * 1000;
}

bool pub_is_lost(const struct model *m, const struct pub *pub)
{
	return pub->durability == DURABILITY_NONE ||
	       (pub->durability == DURABILITY_INTERVAL && pub->last_sent_ms > m->written_ms);
}

void model_crash_publications(struct model *m)
{
	for (size_t i = 0; i < m->open_count; i++) {
		if (m->open[i]->is_will)
			crash_open_will(m, m->open[i]);
		else
			crash_pub(m, m->open[i]);
	}
	values_crash(m);
}
