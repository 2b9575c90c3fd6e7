/* A session's subscriptions, and how they stand in the shared tree: a bit of this worker for live
 * ones, a target for durable ones, a member for $share. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/server.h"
#include "core/session.h"
#include "proto/topic.h"

struct subscription *subscription_find(struct session *s, struct slice filter)
{
	struct subscription *sub;

	HASH_FIND(hh, s->subscriptions, filter.data, filter.len, sub);
	return sub;
}

struct slice subscription_filter(const struct subscription *sub)
{
	return slice_of(sub->filter + sub->share_skip, sub->filter_len - sub->share_skip);
}

static struct slice share_group(const struct subscription *sub)
{
	const size_t prefix = sizeof("$share/") - 1;

	return slice_of(sub->filter + prefix, sub->share_skip - prefix - 1);
}

static struct route_target target_of(const struct subscription *sub)
{
	const struct session *s = sub->session;

	return (struct route_target){
	    .session_id = s->id,
	    .subscription_id = sub->id,
	    .home = (uint16_t)s->worker->home.index,
	    .durable = s->durable,
	    .options = sub->options,
	    .since = sub->since,
	};
}

/* --- live subscribers of this home --- */

static struct filter_home *join(struct worker *w, struct slice filter)
{
	struct filter_home *f;

	HASH_FIND(hh_filter, w->filters, filter.data, filter.len, f);
	if (f != NULL)
		return f;
	f = xcalloc(1, sizeof(*f) + filter.len);
	f->filter_len = (uint32_t)filter.len;
	memcpy(f->filter, filter.data, filter.len);
	f->id = route_join(w->server->route, w->home.index, filter);
	HASH_ADD(hh_filter, w->filters, filter, filter.len, f);
	HASH_ADD(hh_id, w->filters_by_id, id, sizeof(f->id), f);
	return f;
}

static void leave(struct worker *w, struct filter_home *f)
{
	if (f->subscribers != NULL)
		return;
	route_leave(w->server->route, w->home.index, slice_of(f->filter, f->filter_len));
	HASH_DELETE(hh_filter, w->filters, f);
	HASH_DELETE(hh_id, w->filters_by_id, f);
	free(f);
}

/* --- in the shared tree --- */

static void enter_tree(struct subscription *sub, bool is_new)
{
	struct session *s = sub->session;
	struct server *server = s->worker->server;
	const _Atomic uint64_t *clock = retain_clock(server->retain);
	struct slice filter = subscription_filter(sub);
	struct route_target target = target_of(sub);

	if (sub->shared) {
		route_share_put(server->route, share_group(sub), filter, &target, s->conn != NULL);
	} else if (s->durable) {
		route_target_put(server->route, filter, &target, clock);
		sub->since = target.since;
	} else if (is_new) {
		sub->live = join(s->worker, filter);
		DL_APPEND(sub->live->subscribers, sub);
		/* Read behind the joining: what was stored before is replayed, what comes later
		 * comes live. */
		sub->since = atomic_load(clock);
	}
}

static struct subscription *subscription_new(struct session *s, struct slice whole)
{
	struct subscription *sub = xcalloc(1, sizeof(*sub) + whole.len);
	struct slice group, filter;

	sub->session = s;
	sub->filter_len = (uint32_t)whole.len;
	memcpy(sub->filter, whole.data, whole.len);
	if (topic_filter_share(whole, &group, &filter) == SHARE_OK) {
		sub->shared = true;
		sub->share_skip = (uint32_t)(whole.len - filter.len);
	}
	HASH_ADD(hh, s->subscriptions, filter, whole.len, sub);
	count(&s->worker->counters.subscriptions);
	if (sub->shared)
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

void subscription_remove(struct subscription *sub)
{
	struct session *s = sub->session;
	struct server *server = s->worker->server;
	struct slice filter = subscription_filter(sub);

	if (sub->shared) {
		route_share_remove(server->route, share_group(sub), filter, s->id);
	} else if (sub->live != NULL) {
		DL_DELETE(sub->live->subscribers, sub);
		leave(s->worker, sub->live);
	} else {
		route_target_remove(server->route, filter, s->id);
	}
	HASH_DEL(s->subscriptions, sub);
	uncount(&s->worker->counters.subscriptions, 1);
	if (sub->shared)
		uncount(&s->worker->counters.shared_subscriptions, 1);
	free(sub);
}

void subscriptions_online(struct session *s, bool online)
{
	struct subscription *sub, *next;

	HASH_ITER (hh, s->subscriptions, sub, next) {
		if (sub->shared)
			route_share_online(s->worker->server->route, share_group(sub),
			                   subscription_filter(sub), s->id, online);
	}
}
