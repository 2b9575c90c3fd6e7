/* In two steps: the nodes of the tree, then the sessions. What is at hand lies in the worker's
 * scratch; what rests has changed places with it. */
#include "routing/publish_match.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "journal/journal_group.h"
#include "session/client_link.h"
#include "session/link_output.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

/* Work of a turn (worker.h): it takes that much longer where the tree is large. */
#define NODES_PER_STEP   4
#define TARGETS_PER_STEP 8
/* A slice: about an eighth of a millisecond. */
#define SLICE_STEPS(w) ((w)->turn_steps / 32 + 1)
/* After that it is done in one piece, or subscribers that come and go would hold up publishers. */
#define BEGUN_MAX 4

static void forget_items(struct publish_match *p)
{
	p->is_complete = false;
	if (p->prepared.group != NULL)
		group_prepare_forget(&p->prepared);
	if (p->item_cap == 0)
		return; /* nearly always: only durable sessions have some */
	for (size_t i = 0; i < p->item_count; i++)
		subscription_ids_fini(&p->items[i].ids);
	free(p->items);
	p->items = NULL;
	p->item_count = p->item_cap = 0;
	table_fini(&p->by_session);
	p->by_session = (struct table){0};
}

void publish_match_fini(struct publish_match *p)
{
	forget_items(p);
	msg_unref(&p->msg);
	route_match_fini(&p->match);
}

/* --- the sessions --- */

/* [MQTT5-4.8.2-3] */
static struct target_item item_of(const struct route_target *t, uint64_t group_id)
{
	struct target_item item = {.session_id = t->session_id,
	                           .group_id = group_id,
	                           .executor = t->executor,
	                           .qos = t->options.qos,
	                           .retain_as_published = t->options.retain_as_published,
	                           .durable = t->durable,
	                           .ids = {.one = t->subscription_id}};

	return item;
}

/* Overlapping subscriptions of one session: one copy, the highest QoS, all identifiers.
 * [MQTT3-3.3.5-1] [MQTT5-3.3.4-2, -3] */
static void item_merge(struct target_item *into, const struct route_target *more)
{
	if (more->options.qos > into->qos)
		into->qos = more->options.qos;
	into->retain_as_published |= more->options.retain_as_published;
	subscription_ids_add(&into->ids, more->subscription_id);
}

/* Of a retained change it is no question whether a replay gives it: it gets its number while the
 * tree is as it was, after every subscription that is there. */
static bool wants(const struct route_target *t, const struct msg *msg)
{
	return !t->options.no_local ||
	       t->session_id != msg->origin->session_id; /* [MQTT5-3.8.3-3] */
}

static struct target_item *add_item(struct publish_match *p)
{
	array_reserve(p->items, p->item_cap, p->item_count + 1);
	return &p->items[p->item_count++];
}

/* SIZE_MAX: this session has none yet. Sessions mostly come in the same order from filter to
 * filter: the next one is looked at first. The items move as they become more, so the table has
 * their places, from 1. */
static size_t find_item(const struct publish_match *p, uint64_t session_id, size_t last)
{
	size_t next = last + 1 < p->item_count ? last + 1 : 0;
	void **place;

	if (next < p->item_count && p->items[next].session_id == session_id)
		return next;
	place = table_find(&p->by_session, hash_id(session_id), NULL, NULL);
	return place == NULL ? SIZE_MAX : (size_t)(uintptr_t)*place - 1;
}

/* A session may stand in thousands of filters that match: it is found by its id. */
static void merge_targets(struct publish_match *p, const struct msg *msg, size_t until)
{
	const struct route_match *match = &p->match;
	const size_t count = match->target_count;
	const bool several =
	    count > 1 && match->targets[count - 1].filter_id != match->targets[0].filter_id;
	size_t at = 0;

	for (; p->merged < until; p->merged++) {
		const struct route_target *t = &match->targets[p->merged].target;
		size_t found;

		if (!wants(t, msg))
			continue;
		found = several ? find_item(p, t->session_id, at) : SIZE_MAX;
		if (found != SIZE_MAX) {
			at = found;
			item_merge(&p->items[at], t);
			continue;
		}
		at = p->item_count;
		*add_item(p) = item_of(t, 0);
		if (several)
			table_add(&p->by_session, hash_id(t->session_id),
			          (void *)(uintptr_t)p->item_count);
	}
}

static void finish_items(struct publish_match *p)
{
	const struct route_match *match = &p->match;

	for (size_t i = 0; i < match->share_count; i++)
		*add_item(p) = item_of(&match->shares[i].member, match->shares[i].group_id);
	table_fini(&p->by_session);
	p->by_session = (struct table){0};
}

/* True: all are there. */
static bool collect_items(struct worker *w, struct publish_match *p, const struct msg *msg,
                          uint64_t until)
{
	const struct route_match *match = &p->match;
	size_t left = match->target_count - p->merged, end = match->target_count;

	if (p->is_complete)
		return true;
	if (until != UINT64_MAX && left / TARGETS_PER_STEP > until - w->work)
		end = p->merged + (size_t)(until - w->work) * TARGETS_PER_STEP;
	w->work += (end - p->merged) / TARGETS_PER_STEP;
	merge_targets(p, msg, end);
	if (p->merged < match->target_count)
		return false;
	finish_items(p);
	p->is_complete = true;
	return true;
}

/* --- slices --- */

static void begin_match(struct route *r, struct publish_match *p)
{
	forget_items(p);
	route_match_begin(r, &p->match);
	p->merged = 0;
	p->is_collected = false;
	p->begun++;
}

static bool collect_filters(struct worker *w, struct publish_match *p, const struct msg *msg,
                            uint64_t until)
{
	const size_t before = p->match.visited;
	size_t visited = SIZE_MAX;

	if (until != UINT64_MAX)
		visited = before + (size_t)(until - w->work) * NODES_PER_STEP;
	p->is_collected = route_match_go_on(w->shared->route, msg_topic(msg), &p->match, visited);
	w->work += (p->match.visited - before) / NODES_PER_STEP;
	return p->is_collected;
}

static bool go_on(struct worker *w, struct publish_match *p, const struct msg *msg, uint64_t until)
{
	if (!p->is_collected && !collect_filters(w, p, msg, until))
		return false;
	if (p->match.target_count + p->match.share_count == 0)
		return true; /* nearly always: no session is named */
	return w->work < until && collect_items(w, p, msg, until);
}

static size_t bytes_of(const struct publish_match *p)
{
	const struct route_match *m = &p->match;

	return sizeof(*p) + m->filter_cap * sizeof(*m->filters) +
	       m->target_cap * sizeof(*m->targets) + m->share_cap * sizeof(*m->shares) +
	       2 * m->frontier_cap * sizeof(m->frontier[0][0]) + p->item_cap * sizeof(*p->items) +
	       (p->prepared.group == NULL ? 0 : journal_group_bytes(p->prepared.group));
}

static void exchange(struct publish_match *a, struct publish_match *b)
{
	struct publish_match other = *a;

	*a = *b;
	*b = other;
}

/* It takes memory until it is handled again. */
static void count_resting(struct client_link *link)
{
	link->request_bytes = link->match == NULL ? 0 : bytes_of(link->match);
	link_output_count(link);
}

/* Where it rests; NULL: it is done in one piece. */
static struct publish_match **place_of(const struct publish_job *job)
{
	if (job->link != NULL)
		return &job->link->match;
	/* mutant: own_match_in_one_turn */
	return job->rests == NULL ? NULL : &job->rests->match;
}

/* What no connection publishes is never refused for it: there is one at a time. */
static void rest_own(struct worker *w, struct publish_job *job)
{
	struct resting_publish *own = job->rests;
	struct publish_match *p = job->to;

	if (p->msg == NULL)
		p->msg = msg_ref(job->msg);
	if (own->match == NULL) {
		own->match = xnew(own->match);
		waiting_publisher_begin(w, &own->from, job->msg->origin);
	}
	exchange(p, own->match);
	waiting_publisher_count(w, &own->from, bytes_of(own->match));
}

/* So much may rest whatever the limit. */
#define REST_FREE ((size_t)65536)

/* Unless there is no memory for what it has become. */
static void rest(struct worker *w, struct publish_job *job)
{
	struct client_link *link = job->link;
	struct publish_match *p = job->to;
	size_t bytes = bytes_of(p), before;

	if (link == NULL) {
		REQUIRE(job->rests != NULL); /* nobody else handles it again */
		rest_own(w, job);
		return;
	}
	before = link->request_bytes;
	if (bytes > REST_FREE && bytes > before)
		job->full = quota_memory(w, link->charge.payer, bytes - before);
	if (job->full != NULL)
		return;
	if (p->msg == NULL)
		p->msg = msg_ref(job->msg);
	if (link->match == NULL)
		link->match = xnew(link->match);
	exchange(p, link->match);
	link->goes_on = true;
	count_resting(link);
}

struct msg *publish_match_msg(const struct client_link *link)
{
	return link->match == NULL ? NULL : msg_ref(link->match->msg);
}

static bool is_prepared(struct worker *w, const struct publish_job *job, uint64_t until)
{
	struct publish_match *p = job->to;

	if (p->item_count < GROUP_PREPARE_MIN)
		return true;
	p->prepared.items = p->items;
	p->prepared.item_count = p->item_count;
	return group_prepare(w, job, &p->prepared, until);
}

bool publish_match_go_on(struct worker *w, struct publish_job *job)
{
	struct route *r = w->shared->route;
	struct publish_match *p = job->to;
	struct publish_match **place = place_of(job);
	uint64_t until = UINT64_MAX;

	route_read_require(r, w->executor.index);
	p->begun = 0;
	if (p->msg != NULL)
		msg_unref(&p->msg);
	if (place != NULL && *place != NULL)
		exchange(p, *place);
	/* mutant: match_of_another_tree */
	if (p->begun == 0 || !route_match_holds(r, &p->match))
		begin_match(r, p);
	/* mutant: match_in_one_turn */
	if (place != NULL && /* mutant: match_for_ever */ p->begun <= BEGUN_MAX)
		until = w->work + SLICE_STEPS(w);
	if (go_on(w, p, job->msg, until) && (place == NULL || is_prepared(w, job, until)))
		return true;
	rest(w, job);
	return false;
}

void publish_match_forget_own(struct worker *w, struct resting_publish *own)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (own->match == NULL)
		return;
	publish_match_fini(own->match);
	free(own->match);
	own->match = NULL;
	waiting_publisher_end(w, &own->from);
}

void publish_match_forget(struct client_link *link)
{
	REQUIRE_OWNER(link);
	if (link->match == NULL)
		return;
	publish_match_fini(link->match);
	free(link->match);
	link->match = NULL;
	count_resting(link);
}
