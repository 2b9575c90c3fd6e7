/* A session's subscriptions, and how they stand in the shared tree: a bit of this worker for live
 * ones, a target for durable ones, a member for $share. */
#include "session/subscription.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "proto/topic.h"
#include "session/replay.h"
#include "session/session.h"
#include "session/session_journal.h"
#include "tree/route_share.h"
#include "tree/target_set.h"
#include "worker/shared.h"

#define LEVEL_BYTES ((size_t)64) /* of a level that no other filter has */

static struct slice whole_filter(const struct subscription *sub)
{
	return slice_of(sub->filter, sub->filter_len);
}

static bool is_filter(const void *item, const void *key)
{
	return slice_equal(whole_filter(item), *(const struct slice *)key);
}

size_t subscription_cost(struct slice filter)
{
	return filter.len + topic_levels(filter) * LEVEL_BYTES;
}

/* Of one level in the tree of filters, with its places in the tree's table; of what a filter's node
 * carries besides: the target or the member, the group with its name, and places in three tables.
 */
#define NODE_BYTES   ((size_t)104)
#define FILTER_BYTES ((size_t)128)

size_t subscription_memory(struct slice filter)
{
	size_t nodes = topic_has_wildcard(filter) ? topic_levels(filter) : 1;

	return sizeof(struct subscription) + 3 * filter.len + nodes * NODE_BYTES + FILTER_BYTES;
}

struct subscription *subscription_find(struct session *s, struct slice filter)
{
	uint64_t hash = hash_bytes(filter.data, filter.len);
	void **place = table_find(&s->subscriptions, hash, is_filter, &filter);

	REQUIRE_OWNER(s);
	return place == NULL ? NULL : *place;
}

static struct slice share_group(const struct subscription *sub)
{
	const size_t prefix = sizeof("$share/") - 1;

	return slice_of(sub->filter + prefix, sub->share_skip - prefix - 1);
}

/* --- live subscribers of this executor --- */

static void join(struct subscription *sub)
{
	struct worker *w = sub->session->worker;
	struct subscription *first;
	void **place;

	sub->filter_id = route_join(w->shared->route, w->executor.index, subscription_filter(sub));
	place = table_find(&w->sessions->filters, hash_id(sub->filter_id), NULL, NULL);
	first = place == NULL ? NULL : *place;
	DL_PREPEND(first, sub); /* who has begun to go through them does not meet it */
	if (place == NULL)
		table_add(&w->sessions->filters, hash_id(sub->filter_id), sub);
	else
		*place = first;
}

static void leave_filter(struct subscription *sub)
{
	struct worker *w = sub->session->worker;
	void **place = table_find(&w->sessions->filters, hash_id(sub->filter_id), NULL, NULL);
	struct subscription *first = *place;
	struct subscriber_cursor *cursor;

	sub->session->filters_left++;
	DL_FOREACH (w->sessions->cursors, cursor) {
		if (cursor->at == sub)
			cursor->at = sub->next;
	}
	DL_DELETE(first, sub);
	if (first != NULL) {
		*place = first;
		return;
	}
	table_remove(&w->sessions->filters, hash_id(sub->filter_id), sub);
	route_leave(w->shared->route, w->executor.index, subscription_filter(sub));
}

const struct subscription *subscription_first(const struct worker *w, uint64_t filter_id)
{
	void **first = table_find(&w->sessions->filters, hash_id(filter_id), NULL, NULL);

	return first == NULL ? NULL : *first;
}

void subscription_rest(struct worker *w, struct subscriber_cursor *cursor,
                       const struct subscription *at)
{
	cursor->at = at;
	DL_APPEND(w->sessions->cursors, cursor);
}

const struct subscription *subscription_resume(struct worker *w, struct subscriber_cursor *cursor)
{
	DL_DELETE(w->sessions->cursors, cursor);
	return cursor->at;
}

bool subscription_matches(const struct session *s, struct slice topic)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	const struct subscription *sub;

	while ((sub = table_walk_next(&walk)) != NULL) {
		s->worker->work++;
		if (sub->filter_id != 0 && topic_matches(subscription_filter(sub), topic))
			return true;
	}
	return false;
}

/* --- in the shared tree --- */

static void enter_tree(struct subscription *sub, bool is_new)
{
	struct session *s = sub->session;
	struct shared *shared = s->worker->shared;
	const _Atomic uint64_t *clock = retain_clock(shared->retain);
	struct slice filter = subscription_filter(sub);
	struct route_target target = {
	    .session_id = s->id,
	    .subscription_id = sub->id,
	    .executor = (uint16_t)s->worker->executor.index,
	    .durable = s->durable,
	    .options = sub->options,
	    .since = sub->since,
	};

	if (subscription_is_shared(sub)) {
		route_share_put(shared->route, share_group(sub), filter, &target, s->link != NULL);
	} else if (s->durable) {
		route_target_put(shared->route, filter, &target, clock);
		sub->since = target.since;
	} else if (is_new) {
		join(sub);
		/* Read after the joining: what was stored before is replayed, what comes later
		 * comes live. */
		sub->since = atomic_load(clock);
	}
}

static struct subscription *subscription_new(struct session *s, struct slice whole)
{
	struct subscription *sub = xcalloc(1, offsetof(struct subscription, filter) + whole.len);
	struct slice group, filter;

	REQUIRE(whole.len <= UINT16_MAX); /* as every string of MQTT */
	sub->session = s;
	sub->number = ++s->next_subscription;
	sub->filter_len = (uint16_t)whole.len;
	memcpy(sub->filter, whole.data, whole.len);
	if (topic_filter_share(whole, &group, &filter) == SHARE_OK)
		sub->share_skip = (uint16_t)(whole.len - filter.len);
	table_add(&s->subscriptions, hash_bytes(whole.data, whole.len), sub);
	s->subscription_bytes += subscription_cost(whole);
	charge_add(s->worker, &s->charge, subscription_memory(whole));
	count(&s->worker->counters.subscriptions);
	if (subscription_is_shared(sub))
		count(&s->worker->counters.shared_subscriptions);
	return sub;
}

struct subscription *subscription_put(struct session *s, struct slice filter,
                                      const struct subscription_options *options, uint32_t id,
                                      bool *is_new)
{
	struct subscription *sub = subscription_find(s, filter);

	REQUIRE_OWNER(s);
	*is_new = sub == NULL;
	if (sub == NULL)
		sub = subscription_new(s, filter);
	sub->options = *options; /* replaced [MQTT5-3.8.4-3] [MQTT3-3.8.4-3] */
	sub->id = id;
	enter_tree(sub, *is_new);
	return sub;
}

void subscription_restore(struct session *s, uint64_t number, struct slice filter,
                          const struct subscription_options *options, uint32_t id)
{
	struct subscription *sub = subscription_new(s, filter);

	s->grants_in_part = true; /* it may be one; see partial_grant.c */
	sub->number = number;
	if (s->next_subscription < number)
		s->next_subscription = (uint32_t)number;
	sub->options = *options;
	sub->id = id;
	enter_tree(sub, true);
}

static void leave_tree(struct subscription *sub)
{
	struct session *s = sub->session;
	struct route *route = s->worker->shared->route;
	struct slice filter = subscription_filter(sub);

	if (subscription_is_shared(sub))
		route_share_remove(route, share_group(sub), filter, s->id);
	else if (sub->filter_id != 0)
		leave_filter(sub);
	else
		route_target_remove(route, filter, s->id);
	sub->filter_id = 0;
}

void subscriptions_leave_tree(struct session *s)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription *sub;

	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL && !s->set_aside);
	while ((sub = table_walk_next(&walk)) != NULL)
		leave_tree(sub);
}

void subscriptions_enter_tree(struct session *s)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription *sub;

	REQUIRE_OWNER(s);
	REQUIRE(s->link == NULL && !s->set_aside);
	while ((sub = table_walk_next(&walk)) != NULL)
		enter_tree(sub, true);
}

/* What the table of its session points to no more, or soon. */
static void subscription_free(struct subscription *sub)
{
	struct session *s = sub->session;

	replay_drop(sub);
	if (!s->set_aside)
		leave_tree(sub);
	if (subscription_is_shared(sub))
		uncount(&s->worker->counters.shared_subscriptions, 1);
	s->subscription_bytes -= subscription_cost(whole_filter(sub));
	charge_sub(s->worker, &s->charge, subscription_memory(whole_filter(sub)));
	uncount(&s->worker->counters.subscriptions, 1);
	free(sub);
}

/* [MQTT-3.10.4-2] */
void subscription_remove(struct subscription *sub)
{
	struct slice whole = whole_filter(sub);

	REQUIRE_OWNER(sub->session);
	/* mutant: replay_end */
	replay_end(sub);
	session_journal_unsubscription(sub);
	table_remove(&sub->session->subscriptions, hash_bytes(whole.data, whole.len), sub);
	subscription_free(sub);
}

bool subscriptions_free(struct session *s, size_t *steps)
{
	struct subscription *sub;

	REQUIRE_OWNER(s);
	REQUIRE(s->ended);
	/* mutant: session_end_looks_again */
	if (s->ending.table == NULL)
		s->ending = table_walk_of(&s->subscriptions);
	while (*steps > 0 && (sub = table_walk_next(&s->ending)) != NULL) {
		struct slice whole = whole_filter(sub);

		(*steps)--;
		table_remove(&s->subscriptions, hash_bytes(whole.data, whole.len), sub);
		subscription_free(sub);
	}
	return s->subscriptions.count == 0;
}

void subscriptions_online(struct session *s, bool online)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription *sub;

	REQUIRE_OWNER(s);
	REQUIRE(online == (s->link != NULL));
	while ((sub = table_walk_next(&walk)) != NULL) {
		if (subscription_is_shared(sub))
			route_share_online(s->worker->shared->route, share_group(sub),
			                   subscription_filter(sub), s->id, online);
	}
}
