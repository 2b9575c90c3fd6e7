/* Messages on their subscribers' worker: to which sessions they go, and with which options.
 * DESIGN.md section 5, point 10.  A message with very many receivers is left in the middle when its
 * budget is used: the cursor rests at a subscription, and moves when that one leaves; sessions that
 * were found already are looked up again. */
#include "routing/local_delivery.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/list.h"
#include "session/client_link.h"
#include "session/session_deliver.h"

/* One session's overlapping subscriptions, merged into one delivery. */
struct merge {
	struct session *session; /* valid in the turn in which it was found */
	uint64_t session_id;
	uint32_t filters_left; /* of the session, when it was found */
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

/* Work of one delivery: copied, encrypted and sent. */
static size_t steps_of(const struct msg *msg)
{
	return 1 + msg_bytes(msg) / 256;
}

/* For several deliveries at a time, so that each costs one comparison: how many. */
static size_t pay(struct worker *w, size_t steps)
{
	size_t count = w->turn_steps / 256 / steps + 1;

	w->work += count * steps;
	return count;
}

/* The first subscriber of the filter at hand that has not been visited. */
static const struct subscription *next_of_filter(struct worker *w, struct live_delivery *d)
{
	if (!d->has_begun)
		return subscription_first(w, d->filter_ids[d->filter_at]);
	d->has_begun = false;
	return subscription_resume(w, &d->cursor);
}

static void stop_at(struct worker *w, struct live_delivery *d, const struct subscription *sub)
{
	d->has_begun = true;
	subscription_rest(w, &d->cursor, sub);
}

/* --- several filters match: a session may stand in more than one --- */

static struct merge *merge_of(struct merges *m, struct session *s)
{
	if (s->merge_serial == m->serial)
		return &m->items[s->merge_index];
	array_reserve(m->items, m->cap, m->count + 1);
	s->merge_serial = m->serial;
	s->merge_index = (uint32_t)m->count;
	m->items[m->count] =
	    (struct merge){.session = s, .session_id = s->id, .filters_left = s->filters_left};
	return &m->items[m->count++];
}

/* In a later turn: other messages have been merged meanwhile, and sessions have ended. */
static void find_again(struct worker *w, struct live_delivery *d)
{
	struct merges *m = &d->merges;

	for (size_t i = d->given; i < m->count; i++) {
		struct session *s = session_find_by_id(w, m->items[i].session_id);

		m->items[i].session = s;
		if (s == NULL)
			continue;
		s->merge_serial = m->serial;
		s->merge_index = (uint32_t)i;
	}
}

/* [MQTT5-3.3.4-2] */
static bool merge_filters(struct worker *w, struct live_delivery *d, struct merges *merges,
                          uint64_t until)
{
	for (; d->filter_at < d->filter_count; d->filter_at++) {
		const struct subscription *sub = next_of_filter(w, d);

		for (; sub != NULL; sub = sub->next) {
			struct merge *m;

			/* mutant: fan_out_merges_in_one_turn */
			if (w->work >= until) {
				stop_at(w, d, sub);
				return false;
			}
			w->work++;
			if (!wants(sub, d->msg))
				continue;
			m = merge_of(merges, sub->session);
			if (sub->options.qos > m->qos)
				m->qos = sub->options.qos; /* [MQTT3-3.3.5-1] */
			m->retain_as_published |= sub->options.retain_as_published;
			subscription_ids_add(&m->ids, sub->id); /* [MQTT5-3.3.4-3] */
		}
	}
	d->is_merged = true;
	return true;
}

/* It unsubscribed after it was found: is there another subscription? [MQTT-3.10.4-2] */
static bool is_still_subscribed(const struct merge *m, const struct msg *msg)
{
	/* mutant: fan_out_after_unsubscribe */
	return m->session->filters_left == m->filters_left ||
	       subscription_matches(m->session, msg_topic(msg));
}

static bool give_merges(struct worker *w, struct live_delivery *d,
                        const struct delivery_context *ctx, struct merges *merges, uint64_t until)
{
	const size_t steps = steps_of(d->msg);

	for (; d->given < merges->count; d->given++) {
		struct merge *m = &merges->items[d->given];
		struct delivery delivery = {.qos = m->qos,
		                            .retain = retain_flag(m->retain_as_published, d->msg),
		                            .ids = m->ids};

		if (w->work >= until)
			return false;
		w->work += steps;
		if (m->session != NULL && is_still_subscribed(m, d->msg))
			session_deliver(m->session, ctx, &delivery);
		subscription_ids_fini(&m->ids);
	}
	return true;
}

static bool deliver_merged(struct worker *w, struct live_delivery *d, struct delivery_context *ctx,
                           uint64_t until)
{
	bool goes_on = d->merges.items != NULL;
	struct merges *merges = goes_on ? &d->merges : &w->router->merges;

	if (goes_on) {
		find_again(w, d);
	} else {
		merges->serial = ++w->router->merge_serial;
		merges->count = 0;
	}
	if (d->is_merged || merge_filters(w, d, merges, until)) {
		if (merges->count == 1)
			ctx->fan_out = NULL;
		if (give_merges(w, d, ctx, merges, until))
			return true;
	}
	if (!goes_on) { /* it takes them along */
		d->merges = *merges;
		*merges = (struct merges){0};
	}
	return false;
}

/* [MQTT3-4.6.0-5, -6] [MQTT5-4.6.0-5, -6] */
bool local_delivery_live(struct worker *w, struct live_delivery *d, uint64_t until)
{
	struct delivery_context ctx = {.msg = d->msg, .fan_out = &w->router->fan_out};
	const struct subscription *sub = NULL;
	const size_t steps = steps_of(d->msg);
	size_t paid = 0;
	bool is_done = true;

	REQUIRE_EXECUTOR(&w->executor);
	w->delivering = true;
	fan_out_begin(&w->router->fan_out);
	if (d->filter_count == 1)
		sub = next_of_filter(w, d);
	else
		is_done = deliver_merged(w, d, &ctx, until);
	if (sub == NULL || sub->next == NULL) /* no bytes to share */
		ctx.fan_out = NULL;
	for (; sub != NULL; sub = sub->next) {
		if (paid == 0) {
			/* mutant: fan_out_in_one_turn */
			if (w->work >= until) {
				stop_at(w, d, sub);
				is_done = false;
				break;
			}
			paid = pay(w, steps);
		}
		paid--;
		if (wants(sub, d->msg)) {
			struct delivery delivery = {
			    .qos = sub->options.qos,
			    .retain = retain_flag(sub->options.retain_as_published, d->msg),
			    .ids = {.one = sub->id}};

			session_deliver(sub->session, &ctx, &delivery);
		}
	}
	w->work -= paid * steps;
	w->delivering = false;
	return is_done;
}

size_t local_delivery_bytes(const struct live_delivery *d)
{
	return d->filter_count * sizeof(*d->filter_ids) + d->merges.cap * sizeof(*d->merges.items);
}

void local_delivery_forget(struct worker *w, struct live_delivery *d)
{
	if (d->has_begun)
		(void)subscription_resume(w, &d->cursor);
	for (size_t i = d->given; i < d->merges.count; i++)
		subscription_ids_fini(&d->merges.items[i].ids);
	free(d->merges.items);
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
	w->work += steps_of(msg);
	w->delivering = true;
	taken = s != NULL && session_deliver(s, &(struct delivery_context){.msg = msg}, &d);
	w->delivering = false;
	return taken;
}
