/* Messages on their subscribers' worker: to which sessions they go, and with which options.
 * DESIGN.md section 5, point 10. */
#include "routing/local_delivery.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/list.h"
#include "routing/router.h"
#include "session/client_link.h"
#include "session/session_deliver.h"

/* One session's overlapping subscriptions, merged into one delivery. */
struct merge {
	struct session *session;
	uint8_t qos;
	bool retain_as_published;
	struct subscription_ids ids;
};

/* Does this subscription take this message at all? */
static bool wants(const struct subscription *sub, const struct msg *msg)
{
	/* mutant: own_messages */
	if (sub->options.no_local && msg->origin->session_id == sub->session->id)
		return false; /* [MQTT5-3.8.3-3] */
	/* A change that its replay gives, or gave. */
	return msg->number == 0 || msg->number > sub->since;
}

static bool retain_flag(bool as_published, const struct msg *msg)
{
	return as_published && msg->retain; /* [MQTT5-3.3.1-12, -13] [MQTT3-3.3.1-9] */
}

/* --- several filters match: a session may stand in more than one --- */

static struct merge *merge_of(struct merges *m, struct session *s)
{
	if (s->merge_serial == m->serial)
		return &m->items[s->merge_index];
	array_reserve(m->items, m->cap, m->count + 1);
	s->merge_serial = m->serial;
	s->merge_index = (uint32_t)m->count;
	m->items[m->count] = (struct merge){.session = s};
	return &m->items[m->count++];
}

/* [MQTT5-3.3.4-2] */
static void merge_filter(struct merges *merges, const struct msg *msg,
                         const struct subscription *first)
{
	const struct subscription *sub;

	DL_FOREACH (first, sub) {
		struct merge *m;

		if (!wants(sub, msg))
			continue;
		m = merge_of(merges, sub->session);
		if (sub->options.qos > m->qos)
			m->qos = sub->options.qos; /* [MQTT3-3.3.5-1] */
		m->retain_as_published |= sub->options.retain_as_published;
		subscription_ids_add(&m->ids, sub->id); /* [MQTT5-3.3.4-3] */
	}
}

/* NULL: the last one has left meanwhile. */
static const struct subscription *subscribers_of(const struct worker *w, uint64_t filter_id)
{
	void **first = table_find(&w->sessions->filters, hash_id(filter_id), NULL, NULL);

	return first == NULL ? NULL : *first;
}

static void deliver_merged(struct worker *w, struct delivery_context *ctx,
                           const uint64_t *filter_ids, size_t count)
{
	struct merges *merges = &w->router->merges;

	merges->serial++;
	merges->count = 0;
	for (size_t i = 0; i < count; i++)
		merge_filter(merges, ctx->msg, subscribers_of(w, filter_ids[i]));
	if (merges->count == 1)
		ctx->fan_out = NULL;
	w->work += merges->count;
	for (size_t i = 0; i < merges->count; i++) {
		struct merge *m = &merges->items[i];
		struct delivery d = {.qos = m->qos,
		                     .retain = retain_flag(m->retain_as_published, ctx->msg),
		                     .ids = m->ids};

		session_deliver(m->session, ctx, &d);
		subscription_ids_fini(&m->ids);
	}
}

/* [MQTT3-4.6.0-5, -6] [MQTT5-4.6.0-5, -6] */
void local_delivery_live(struct worker *w, struct msg *msg, const uint64_t *filter_ids,
                         size_t count)
{
	struct delivery_context ctx = {.msg = msg, .fan_out = &w->router->fan_out};
	const struct subscription *first, *sub;
	size_t steps = 0;

	REQUIRE_EXECUTOR(&w->executor);
	w->delivering = true;
	fan_out_begin(&w->router->fan_out);
	if (count != 1)
		deliver_merged(w, &ctx, filter_ids, count);
	first = count != 1 ? NULL : subscribers_of(w, filter_ids[0]);
	if (first == NULL || first->next == NULL) /* no bytes to share */
		ctx.fan_out = NULL;
	DL_FOREACH (first, sub) {
		steps++;
		if (wants(sub, msg)) {
			struct delivery d = {.qos = sub->options.qos,
			                     .retain =
			                         retain_flag(sub->options.retain_as_published, msg),
			                     .ids = {.one = sub->id}};

			session_deliver(sub->session, &ctx, &d);
		}
	}
	w->work += steps;
	w->delivering = false;
}

/* --- by name --- */

bool local_delivery_target(struct worker *w, struct msg *msg, const struct target_item *item)
{
	struct session *s = session_find_by_id(w, item->session_id);
	bool taken;
	struct delivery d = {.qos = item->qos,
	                     .retain = retain_flag(item->retain_as_published, msg),
	                     .group_id = item->group_id,
	                     .position = item->position,
	                     .stored = item->stored,
	                     .ids = item->ids};

	REQUIRE_EXECUTOR(&w->executor);
	w->work++;
	w->delivering = true;
	taken = s != NULL && session_deliver(s, &(struct delivery_context){.msg = msg}, &d);
	w->delivering = false;
	return taken;
}
