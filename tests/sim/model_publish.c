/* Publications: when each may have been routed, whether it was, and what is retained.  D4, D6, S3
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model.h"
#include "names.h"

struct pub *model_pub(struct person *p, const char *topic, const char *payload)
{
	struct model *m = p->model;
	struct pub *pub = xnew(pub);

	if (m->pub_count == m->pub_cap) {
		m->pub_cap = m->pub_cap == 0 ? 256 : m->pub_cap * 2;
		m->pubs = xrealloc_array(m->pubs, m->pub_cap, sizeof(struct pub *));
	}
	pub->id = (unsigned)m->pub_count;
	m->pubs[m->pub_count++] = pub;
	pub->person = p;
	pub->topic = topic;
	pub->payload = xstrdup(payload);
	pub->empty = payload[0] == '\0';
	pub->first_sent = pub->last_sent = pub->closed = pub->retained_until = NEVER;
	pub->expires_min_ms = pub->expires_max_ms = pub->will_due_ms = NEVER;
	pub->matched = pub->routed = MAYBE;
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

/* --- what is retained --- */

struct cell *model_cell(struct model *m, const char *topic)
{
	for (unsigned i = 0; i < m->cell_count; i++) {
		if (strcmp(m->cells[i].topic, topic) == 0)
			return &m->cells[i];
	}
	m->cells[m->cell_count] = (struct cell){.topic = topic, .count = 1};
	return &m->cells[m->cell_count++];
}

static void cell_add(struct model *m, struct pub *pub)
{
	struct cell *cell = model_cell(m, pub->topic);
	const unsigned most = sizeof(cell->writes) / sizeof(cell->writes[0]);

	if (cell->count == most)
		model_fail(m, "the model has no room for more candidates of %s", pub->topic);
	pub->retained_until = NEVER;
	cell->writes[cell->count++] = (struct write){.pub = pub, .sent = m->tick};
}

static bool is_in_cell(struct model *m, const struct pub *pub)
{
	const struct cell *cell = model_cell(m, pub->topic);

	for (unsigned i = 0; i < cell->count; i++) {
		if (cell->writes[i].pub == pub)
			return true;
	}
	return false;
}

/* Is this candidate certainly older than a write sent at `sent`? */
static bool is_older(const struct write *w, const struct pub *than, uint64_t sent)
{
	if (w->pub == NULL)
		return true;
	if (w->pub == than)
		return w->sent < sent;
	if (w->pub->person == than->person && !w->pub->is_will && !than->is_will)
		return w->sent < sent;
	return (w->pub->acked_at < w->pub->closed ? w->pub->acked_at : w->pub->closed) < sent;
}

/* It certainly is done: what is older is not the value any more. */
static void cell_settle(struct model *m, struct pub *pub)
{
	struct cell *cell = model_cell(m, pub->topic);
	uint64_t sent = pub->qos == 2 ? pub->first_sent : pub->last_sent;
	struct cell before = *cell;

	cell->count = 0;
	for (unsigned i = 0; i < before.count; i++) {
		if (!is_older(&before.writes[i], pub, sent))
			cell->writes[cell->count++] = before.writes[i];
	}
	for (unsigned i = 0; i < before.count; i++) {
		struct pub *old = before.writes[i].pub;

		if (old != NULL && !is_in_cell(m, old))
			old->retained_until = m->tick;
	}
}

static void cell_remove(struct model *m, const struct pub *pub)
{
	struct cell *cell = model_cell(m, pub->topic);
	unsigned kept = 0;

	for (unsigned i = 0; i < cell->count; i++) {
		if (cell->writes[i].pub != pub)
			cell->writes[kept++] = cell->writes[i];
	}
	cell->count = kept;
}

static const struct received *value_of(const char *topic, const struct received *values,
                                       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(values[i].topic, topic) == 0)
			return &values[i];
	}
	return NULL;
}

enum sure model_is_shown(const struct model *m, const struct pub *pub, uint64_t since)
{
	uint64_t now = model_now(m);

	if (pub == NULL || pub->empty || pub->expires_max_ms <= now)
		return NO;
	if (pub->expires_min_ms <= now)
		return MAYBE;
	return model_writer_may(m, since, pub->person->user, pub->topic);
}

static bool is_seen(const struct pub *pub, const struct received *seen)
{
	return seen == NULL ? pub == NULL : pub != NULL && strcmp(pub->payload, seen->payload) == 0;
}

/* One topic: a candidate that fits, and from now on none that does not. */
static void probe_cell(struct model *m, struct cell *cell, const struct received *seen)
{
	unsigned kept = 0, fitting = 0;

	COVER(m, RETAINED_PROBED);
	if (seen == NULL && cell->writes[0].pub != NULL)
		COVER(m, RETAINED_GONE);
	for (unsigned i = 0; i < cell->count; i++) {
		struct pub *pub = cell->writes[i].pub;
		enum sure shown = model_is_shown(m, pub, m->tick);
		bool fits = seen == NULL ? shown != YES : shown != NO && is_seen(pub, seen);
		bool may_come = pub != NULL && pub->closed == NEVER;

		fitting += fits;
		if (fits || may_come)
			cell->writes[kept++] = cell->writes[i];
		else if (pub != NULL)
			pub->retained_until = m->tick;
	}
	if (fitting == 0)
		model_fail(m, "retained of %s is %.20s, which it cannot be (%.20s%s)", cell->topic,
		           seen == NULL ? "nothing" : seen->payload,
		           cell->writes[0].pub == NULL ? "nothing" : cell->writes[0].pub->payload,
		           cell->count > 1 ? ", ..." : "");
	cell->count = kept;
}

void model_retained(struct model *m, const struct received *values, size_t count)
{
	m->tick++;
	for (size_t i = 0; i < count; i++) {
		const char *topic = names_topic(values[i].topic);

		if (topic == NULL)
			model_fail(m, "retained of %s, where nobody wrote", values[i].topic);
		model_cell(m, topic);
	}
	for (unsigned i = 0; i < m->cell_count; i++)
		probe_cell(m, &m->cells[i], value_of(m->cells[i].topic, values, count));
}

/* --- on its way --- */

static void begin_life(struct model *m, struct pub *pub)
{
	uint64_t end = model_now(m) + (uint64_t)pub->expiry_s * 1000;

	if (!pub->has_expiry)
		return;
	if (pub->expires_min_ms == NEVER)
		pub->expires_min_ms = end;
	pub->expires_max_ms = end;
}

void model_sent(struct person *p, struct pub *pub)
{
	struct model *m = p->model;

	m->tick++;
	m->coverage->sent[PACKET_PUBLISH]++;
	pub->transmissions++;
	if (pub->transmissions > 1)
		COVER(m, RESENT_BY_CLIENT);
	if (pub->first_sent == NEVER) {
		pub->first_sent = m->tick;
		pub->order = ++p->orders;
	}
	pub->last_sent = m->tick;
	pub->routed = MAYBE;
	pub->life = p->client->life;
	begin_life(m, pub);
	open_pub(m, pub);
	if (pub->retain && (pub->qos < 2 || !is_in_cell(m, pub)))
		cell_add(m, pub);
}

/* [MQTT3-3.3.5-2]: 3.1.1 hears nothing of a denial. */
void model_acked(struct person *p, struct pub *pub, enum packet_type type, enum reason reason)
{
	struct model *m = p->model;
	bool denied = reason == REASON_NOT_AUTHORIZED;
	enum sure may = model_may(m, pub->first_sent, p->user, MAY_PUBLISH, pub->topic);

	m->tick++;
	m->coverage->received[type]++;
	m->coverage->reasons[type][reason]++;
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
	pub->routed = p->client->version != MQTT_5_0 ? may : denied ? NO : YES;
	if (denied) {
		COVER(m, DENIED_PUBLISH);
		if (pub->retain)
			cell_remove(m, pub);
	}
	if (p->client->version == MQTT_5_0 && !denied && pub->transmissions == 1)
		pub->matched = reason == REASON_NO_MATCHING_SUBSCRIBERS ? NO : YES;
}

void model_fires(struct pub *will, enum sure sure)
{
	struct model *m = will->person->model;

	will->fires = sure;
	will->routed = MAYBE;
	if (will->first_sent != NEVER)
		return;
	will->first_sent = will->last_sent = ++m->tick;
	will->transmissions = 1;
	begin_life(m, will);
	if (will->has_expiry && will->will_due_ms != NEVER)
		will->expires_max_ms = will->will_due_ms + (uint64_t)will->expiry_s * 1000;
	if (will->retain)
		cell_add(m, will);
	open_pub(m, will);
}

void model_unfires(struct pub *will)
{
	struct model *m = will->person->model;
	size_t kept = 0;

	will->first_sent = will->last_sent = NEVER;
	will->routed = NO;
	will->expires_min_ms = will->expires_max_ms = NEVER;
	if (will->retain)
		cell_remove(m, will);
	for (size_t i = 0; i < m->open_count; i++) {
		if (m->open[i] != will)
			m->open[kept++] = m->open[i];
	}
	m->open_count = kept;
}

/* --- quiet --- */

/* Nothing was lost on its way: by now it is where it belongs. */
static bool arrived(const struct pub *pub)
{
	const struct person *p = pub->person;

	return pub->life == p->client->life && p->link == LINK_UP;
}

static void close_will(struct model *m, struct pub *will)
{
	enum sure may = model_may(m, will->first_sent, will->person->user, MAY_WILL, will->topic);

	will->routed = will->fires == YES || may == NO ? may : MAYBE;
}

static void close_publish(struct model *m, struct pub *pub)
{
	enum sure may = model_may(m, pub->first_sent, pub->person->user, MAY_PUBLISH, pub->topic);

	if (!pub->acked)
		pub->routed = arrived(pub) || may == NO ? may : MAYBE;
}

static void close_pub(struct model *m, struct pub *pub)
{
	pub->closed = m->tick;
	if (pub->is_will)
		close_will(m, pub);
	else
		close_publish(m, pub);
	if (!pub->retain)
		return;
	if (pub->routed == NO)
		cell_remove(m, pub);
	else if (pub->routed == YES)
		cell_settle(m, pub);
}

/* A will that only may fire stays open until it cannot any more. */
static bool stays_open(const struct model *m, const struct pub *pub)
{
	return pub->is_will && pub->fires == MAYBE && pub->will_due_ms != NEVER &&
	       pub->will_due_ms > model_now(m);
}

/* In the order in which they were sent, so that the last of each person settles last. The list
 * stays for those who judge what came of them. */
void model_quiet_publications(struct model *m)
{
	for (size_t i = 0; i < m->open_count; i++) {
		if (!stays_open(m, m->open[i]))
			close_pub(m, m->open[i]);
	}
}
