/* What may be retained: for each topic the changes of which one is its value now, and those of
 * which one would be its value if the broker crashed now. D4 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model.h"
#include "names.h"

struct cell *model_cell(struct model *m, const char *topic)
{
	for (unsigned i = 0; i < m->cell_count; i++) {
		if (strcmp(m->cells[i].topic, topic) == 0)
			return &m->cells[i];
	}
	m->cells[m->cell_count] =
	    (struct cell){.topic = topic, .now = {.count = 1}, .kept = {.count = 1}};
	return &m->cells[m->cell_count++];
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
	struct cell *cell = model_cell(m, pub->topic);

	pub->retained_until = NEVER;
	writes_add(m, &cell->now, pub);
	writes_add(m, &cell->kept, pub);
}

bool value_has(struct model *m, const struct pub *pub)
{
	return writes_have(&model_cell(m, pub->topic)->now, pub);
}

void value_remove(struct model *m, const struct pub *pub)
{
	struct cell *cell = model_cell(m, pub->topic);

	writes_remove(&cell->now, pub);
	writes_remove(&cell->kept, pub);
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
	struct young settled = {.pub = pub,
	                        .sent = pub->qos == 2 ? pub->first_sent : pub->last_sent,
	                        .sent_ms = pub->last_sent_ms};
	struct cell *cell = model_cell(m, pub->topic);
	struct writes before = cell->now;

	writes_settle(&cell->now, pub, settled.sent);
	end_others(m, &before, &cell->now);
	if (is_lasting(m, pub, settled.sent_ms)) {
		writes_settle(&cell->kept, pub, settled.sent);
		return;
	}
	if (m->young_count == m->young_cap) {
		m->young_cap = m->young_cap == 0 ? 64 : m->young_cap * 2;
		m->young = xrealloc_array(m->young, m->young_cap, sizeof(*m->young));
	}
	m->young[m->young_count++] = settled;
}

static void settle_kept(struct model *m, const struct young *y)
{
	writes_settle(&model_cell(m, y->pub->topic)->kept, y->pub, y->sent);
}

void values_quiet(struct model *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->young_count; i++) {
		if (is_lasting(m, m->young[i].pub, m->young[i].sent_ms))
			settle_kept(m, &m->young[i]);
		else
			m->young[kept++] = m->young[i];
	}
	m->young_count = kept;
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

static void cell_crash(struct model *m, struct cell *cell)
{
	struct writes before = cell->now;

	if (m->durability[rules_root(cell->topic)] == DURABILITY_NONE)
		forget_values(&cell->kept);
	cell->now = cell->kept;
	end_others(m, &before, &cell->now);
	if (before.count != 1 || before.at[0].pub != cell->now.at[0].pub)
		cell->reverted = m->tick;
	for (unsigned i = 0; i < cell->now.count; i++) {
		if (cell->now.at[i].pub != NULL)
			cell->now.at[i].pub->retained_until = NEVER;
	}
}

void values_crash(struct model *m)
{
	for (size_t i = 0; i < m->young_count; i++) {
		if (m->young[i].sent_ms <= m->written_ms || is_committed(m, m->young[i].pub))
			settle_kept(m, &m->young[i]);
	}
	m->young_count = 0;
	for (unsigned i = 0; i < m->cell_count; i++)
		cell_crash(m, &m->cells[i]);
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
static void rule_out(struct model *m, struct cell *cell, const struct writes *before,
                     const struct received *seen)
{
	const struct pub *value = seen == NULL ? NULL : cell->now.at[0].pub;

	if (value == NULL || cell->now.count != 1 || !is_lasting(m, value, value->last_sent_ms))
		return;
	for (unsigned i = 0; i < before->count; i++) {
		if (before->at[i].pub != value)
			writes_remove(&cell->kept, before->at[i].pub);
	}
}

/* One topic: a candidate that matches, and from now on none that does not. */
static void probe_cell(struct model *m, struct cell *cell, const struct received *seen)
{
	struct writes before = cell->now;
	const struct pub *first = before.at[0].pub;
	unsigned fitting = 0;

	COVER(m, RETAINED_PROBED);
	if (seen == NULL && first != NULL)
		COVER(m, RETAINED_GONE);
	cell->now.count = 0;
	for (unsigned i = 0; i < before.count; i++) {
		const struct pub *pub = before.at[i].pub;
		bool may_come = pub != NULL && pub->closed == NEVER;

		fitting += fits(m, pub, seen);
		if (fits(m, pub, seen) || may_come)
			cell->now.at[cell->now.count++] = before.at[i];
	}
	if (fitting == 0)
		model_fail(m, "retained of %s is %.20s, which it cannot be (%.20s%s)", cell->topic,
		           seen == NULL ? "nothing" : seen->payload,
		           first == NULL ? "nothing" : first->payload,
		           before.count > 1 ? ", ..." : "");
	end_others(m, &before, &cell->now);
	rule_out(m, cell, &before, seen);
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
