/* What may be retained: for each topic the changes of which one is its value now, and those of
 * which one would be its value if the broker crashed now. D4 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model.h"
#include "names.h"

struct retained_topic *model_retained_topic(struct model *m, const char *topic)
{
	for (unsigned i = 0; i < m->retained_topic_count; i++) {
		if (strcmp(m->retained_topics[i].topic, topic) == 0)
			return &m->retained_topics[i];
	}
	m->retained_topics[m->retained_topic_count] =
	    (struct retained_topic){.topic = topic, .now = {.count = 1}, .kept = {.count = 1}};
	return &m->retained_topics[m->retained_topic_count++];
}

static void writes_add(struct model *m, struct writes *writes, struct pub *pub)
{
	if (writes->count == WRITES_MAX)
		model_fail(m, "the model has no room for more candidates of %s", pub->topic);
	writes->at[writes->count++] = (struct write){.pub = pub, .sent = m->tick};
}

static bool writes_have(const struct writes *writes, const struct pub *pub)
{
	for (unsigned i = 0; i < writes->count; i++) {
		if (writes->at[i].pub == pub)
			return true;
	}
	return false;
}

static void writes_remove(struct writes *writes, const struct pub *pub)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < writes->count; i++) {
		if (writes->at[i].pub != pub)
			writes->at[kept++] = writes->at[i];
	}
	writes->count = kept;
}

void value_add(struct model *m, struct pub *pub)
{
	struct retained_topic *at_topic = model_retained_topic(m, pub->topic);

	pub->retained_until = NEVER;
	writes_add(m, &at_topic->now, pub);
	writes_add(m, &at_topic->kept, pub);
}

bool value_has(struct model *m, const struct pub *pub)
{
	return writes_have(&model_retained_topic(m, pub->topic)->now, pub);
}

void value_remove(struct model *m, const struct pub *pub)
{
	struct retained_topic *at_topic = model_retained_topic(m, pub->topic);

	writes_remove(&at_topic->now, pub);
	writes_remove(&at_topic->kept, pub);
}

/* --- what is older --- */

/* Is this candidate certainly older than a write sent at `sent`? */
static bool is_older(const struct write *w, const struct pub *than, uint64_t sent)
{
	if (w->pub == NULL)
		return true;
	if (w->pub == than)
		return w->sent < sent;
	/* Of QoS 2 any of its transmissions may have been the one that counted. */
	if (w->pub->actor == than->actor && !w->pub->is_will && !than->is_will)
		return (w->pub->qos == 2 ? w->pub->last_sent : w->sent) < sent;
	return (w->pub->acked_at < w->pub->closed ? w->pub->acked_at : w->pub->closed) < sent;
}

static void writes_settle(struct writes *writes, const struct pub *pub, uint64_t sent)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < writes->count; i++) {
		if (!is_older(&writes->at[i], pub, sent))
			writes->at[kept++] = writes->at[i];
	}
	writes->count = kept;
}

/* Those that are no candidates any more were the value until now at the latest. */
static void end_others(struct model *m, const struct writes *before, const struct writes *after)
{
	for (unsigned i = 0; i < before->count; i++) {
		struct pub *pub = before->at[i].pub;

		if (pub != NULL && !writes_have(after, pub))
			pub->retained_until = m->tick;
	}
}

/* It was acknowledged from the disk, or there was a commit since. */
static bool is_committed(const struct model *m, const struct pub *pub)
{
	return pub->durability == DURABILITY_ACK && (pub->qos > 0 || pub->closed < m->committed);
}

/* All else is written after the interval. */
static bool is_lasting(const struct model *m, const struct pub *pub, uint64_t sent_ms)
{
	return is_committed(m, pub) || sent_ms + JOURNAL_INTERVAL_MS <= model_now(m);
}

void value_settle(struct model *m, struct pub *pub)
{
	struct uncommitted settled = {.pub = pub,
	                              .sent = pub->qos == 2 ? pub->first_sent : pub->last_sent,
	                              .sent_ms = pub->last_sent_ms};
	struct retained_topic *at_topic = model_retained_topic(m, pub->topic);
	struct writes before = at_topic->now;

	writes_settle(&at_topic->now, pub, settled.sent);
	end_others(m, &before, &at_topic->now);
	if (is_lasting(m, pub, settled.sent_ms)) {
		writes_settle(&at_topic->kept, pub, settled.sent);
		return;
	}
	if (m->uncommitted_count == m->uncommitted_cap) {
		m->uncommitted_cap = m->uncommitted_cap == 0 ? 64 : m->uncommitted_cap * 2;
		m->uncommitted =
		    xrealloc_array(m->uncommitted, m->uncommitted_cap, sizeof(*m->uncommitted));
	}
	m->uncommitted[m->uncommitted_count++] = settled;
}

static void settle_kept(struct model *m, const struct uncommitted *y)
{
	writes_settle(&model_retained_topic(m, y->pub->topic)->kept, y->pub, y->sent);
}

void values_quiet(struct model *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->uncommitted_count; i++) {
		if (is_lasting(m, m->uncommitted[i].pub, m->uncommitted[i].sent_ms))
			settle_kept(m, &m->uncommitted[i]);
		else
			m->uncommitted[kept++] = m->uncommitted[i];
	}
	m->uncommitted_count = kept;
}

/* Durability none: stored changes are dropped, except wills that are published at the start. */
static void forget_values(struct writes *writes)
{
	struct writes left = {.count = 1};

	for (unsigned i = 0; i < writes->count; i++) {
		const struct pub *pub = writes->at[i].pub;

		if (pub != NULL && pub->is_will && pub->closed == NEVER && left.count < WRITES_MAX)
			left.at[left.count++] = writes->at[i];
	}
	*writes = left;
}

static void retained_topic_crash(struct model *m, struct retained_topic *at_topic)
{
	struct writes before = at_topic->now;

	if (m->durability[rules_root(at_topic->topic)] == DURABILITY_NONE)
		forget_values(&at_topic->kept);
	at_topic->now = at_topic->kept;
	end_others(m, &before, &at_topic->now);
	if (before.count != 1 || before.at[0].pub != at_topic->now.at[0].pub)
		at_topic->reverted = m->tick;
	for (unsigned i = 0; i < at_topic->now.count; i++) {
		if (at_topic->now.at[i].pub != NULL)
			at_topic->now.at[i].pub->retained_until = NEVER;
	}
}

void values_crash(struct model *m)
{
	for (size_t i = 0; i < m->uncommitted_count; i++) {
		if (m->uncommitted[i].sent_ms <= m->written_ms ||
		    is_committed(m, m->uncommitted[i].pub))
			settle_kept(m, &m->uncommitted[i]);
	}
	m->uncommitted_count = 0;
	for (unsigned i = 0; i < m->retained_topic_count; i++)
		retained_topic_crash(m, &m->retained_topics[i]);
}

/* --- looking --- */

static const struct received *value_of(const char *topic, const struct received *values,
                                       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(values[i].topic, topic) == 0)
			return &values[i];
	}
	return NULL;
}

enum certainty model_is_shown(const struct model *m, const struct pub *pub, uint64_t since)
{
	uint64_t now = model_now(m);

	if (pub == NULL || pub->empty || pub->expires_max_ms <= now)
		return NO;
	if (pub->expires_min_ms <= now)
		return UNKNOWN;
	return model_writer_may(m, since, pub);
}

static bool fits(const struct model *m, const struct pub *pub, const struct received *seen)
{
	enum certainty shown = model_is_shown(m, pub, m->tick);

	if (seen == NULL)
		return shown != YES;
	return shown != NO && strcmp(pub->payload, seen->payload) == 0 &&
	       strcmp(pub->extras, seen->extras) == 0;
}

/* What it is not was overwritten by what it is: also after a crash, if that is on disk. */
static void rule_out(struct model *m, struct retained_topic *at_topic, const struct writes *before,
                     const struct received *seen)
{
	const struct pub *value = seen == NULL ? NULL : at_topic->now.at[0].pub;

	if (value == NULL || at_topic->now.count != 1 || !is_lasting(m, value, value->last_sent_ms))
		return;
	for (unsigned i = 0; i < before->count; i++) {
		if (before->at[i].pub != value)
			writes_remove(&at_topic->kept, before->at[i].pub);
	}
}

/* One topic: a candidate that matches, and from now on none that does not. */
static void probe_topic(struct model *m, struct retained_topic *at_topic,
                        const struct received *seen)
{
	struct writes before = at_topic->now;
	const struct pub *first = before.at[0].pub;
	unsigned fitting = 0;

	COVER(m, RETAINED_PROBED);
	if (seen == NULL && first != NULL)
		COVER(m, RETAINED_GONE);
	at_topic->now.count = 0;
	for (unsigned i = 0; i < before.count; i++) {
		const struct pub *pub = before.at[i].pub;
		bool may_come = pub != NULL && pub->closed == NEVER;

		fitting += fits(m, pub, seen);
		if (fits(m, pub, seen) || may_come)
			at_topic->now.at[at_topic->now.count++] = before.at[i];
	}
	if (fitting == 0)
		model_fail(m, "retained of %s is %.20s, which it cannot be (%.20s%s)",
		           at_topic->topic, seen == NULL ? "nothing" : seen->payload,
		           first == NULL ? "nothing" : first->payload,
		           before.count > 1 ? ", ..." : "");
	end_others(m, &before, &at_topic->now);
	rule_out(m, at_topic, &before, seen);
}

void model_retained(struct model *m, const struct received *values, size_t count)
{
	m->tick++;
	for (size_t i = 0; i < count; i++) {
		const char *topic = names_topic(values[i].topic);

		if (topic == NULL)
			model_fail(m, "retained of %s, where nobody wrote", values[i].topic);
		model_retained_topic(m, topic);
	}
	for (unsigned i = 0; i < m->retained_topic_count; i++)
		probe_topic(m, &m->retained_topics[i],
		            value_of(m->retained_topics[i].topic, values, count));
}
