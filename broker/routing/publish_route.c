/* Store, match, number: the one read section of a publish.  What of it must be durable first is in
 * publish_group.c.  DESIGN.md sections 4 and 5, points 6 to 9. */
#include "routing/publish_route.h"

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/table.h"
#include "durability/durability.h"
#include "routing/batch.h"
#include "routing/dispatch.h"
#include "routing/publish_group.h"
#include "routing/router.h"
#include "session/pending_ack.h"
#include "session/session_report.h"
#include "tree/route_match.h"
#include "tree/target_set.h"
#include "worker/memory_quota.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

/* Work of a turn (worker.h): it takes that much longer where the tree is large. */
#define NODES_PER_STEP   4
#define TARGETS_PER_STEP 4
#define RETAINED_STEPS   4

/* --- targets of one match, merged by session --- */

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

/* Not a change that its replay gives, or gave. */
static bool wants(const struct route_target *t, const struct msg *msg)
{
	if (t->options.no_local && t->session_id == msg->origin->session_id)
		return false; /* [MQTT5-3.8.3-3] */
	return msg->number == 0 || msg->number > t->since;
}

/* A session may stand in thousands of filters that match: it is found by its id, and all items have
 * their place before the first one is there. */
static void collect_items(struct worker *w, const struct route_match *match, const struct msg *msg,
                          struct commit *commit)
{
	size_t count = match->target_count;
	bool several =
	    count > 1 && match->targets[count - 1].filter_id != match->targets[0].filter_id;
	struct table by_session = {0};

	array_reserve(commit->items, commit->item_cap, count + match->share_count);
	w->work += count / TARGETS_PER_STEP;
	for (size_t i = 0; i < count; i++) {
		const struct route_target *t = &match->targets[i].target;
		void **place = NULL;

		if (!wants(t, msg))
			continue;
		if (several)
			place = table_find(&by_session, hash_id(t->session_id), NULL, NULL);
		if (place != NULL) {
			item_merge(*place, t);
			continue;
		}
		commit->items[commit->item_count] = item_of(t, 0);
		if (several)
			table_add(&by_session, hash_id(t->session_id),
			          &commit->items[commit->item_count]);
		commit->item_count++;
	}
	table_fini(&by_session);
	for (size_t i = 0; i < match->share_count; i++)
		commit->items[commit->item_count++] =
		    item_of(&match->shares[i].member, match->shares[i].group_id);
	if (several && commit->item_count > 0) { /* it may wait for the disk */
		commit->items =
		    xrealloc_array(commit->items, commit->item_count, sizeof(*commit->items));
		commit->item_cap = commit->item_count;
	}
}

/* --- handing over --- */

static enum reason reason_of(const struct publish_job *job)
{
	bool nobody =
	    job->match->filter_count + job->match->target_count + job->match->share_count == 0;

	return nobody ? REASON_NO_MATCHING_SUBSCRIBERS : REASON_SUCCESS;
}

static void acknowledge_now(struct publish_job *job, enum reason reason)
{
	if (job->inbound != NULL)
		job->inbound->pending = false;
	if (job->link == NULL || job->msg->qos == 0)
		return;
	if (job->link->version != MQTT_5_0)
		reason = REASON_SUCCESS;
	pending_ack_send(job->link, job->msg->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
	                 job->packet_id, reason, SLICE_EMPTY);
}

/* Is there more to do than to deliver it? */
static bool needs_commit(const struct worker *w, const struct publish_job *job)
{
	return job->match->target_count > 0 || job->match->share_count > 0 ||
	       commit_is_wanted(w, job);
}

/* To the sessions that are named, with what must be durable first. */
static void dispatch_commit(struct worker *w, struct publish_job *job)
{
	struct commit *commit = commit_new(w, job);

	collect_items(w, job->match, job->msg, commit);
	if (!commit->holds_live)
		dispatch_live(w, job->msg, job->match, job->msg->retain);
	commit->reason =
	    job->link != NULL && job->link->version == MQTT_5_0 ? reason_of(job) : REASON_SUCCESS;
	if (!commit_append(w, job, &commit))
		acknowledge_now(job, commit->reason);
	commit_free(commit);
}

/* Inside a read section. */
static void match_topic(struct worker *w, const struct publish_job *job)
{
	route_read_require(w->shared->route, w->executor.index);
	route_match(w->shared->route, msg_topic(job->msg), job->match);
	w->work += job->match->visited / NODES_PER_STEP;
}

#define SPACE_PLENTY ((uint64_t)16 << 20) /* more than one message ever takes */

/* There is no space for what it adds. Only clients wait: nobody else can. Inside a read section. */
static bool has_to_wait(struct worker *w, const struct publish_job *job)
{
	struct journal *journal = w->shared->journal;
	size_t bytes;

	if (job->link == NULL || journal_free_space(journal) > SPACE_PLENTY)
		return false;
	match_topic(w, job);
	bytes = commit_adds(w, job);
	return bytes > 0 && journal_is_low(journal, bytes);
}

/* --- retained --- */

static bool is_delete(const struct msg *msg)
{
	return msg_payload(msg).len == 0; /* [MQTT5-3.3.1-6] [MQTT3-3.3.1-10] */
}

/* `own` is decided here, under the topic's lock. */
static bool owner_permits(struct publish_job *job, const struct retain_change *change)
{
	struct acl_request request;

	if (!job->verdict.by_own || change->owner.len == 0 ||
	    slice_equal(change->owner, job->session->origin->user_key))
		return true;
	request = publish_access_request(job->action, job->msg);
	request.owner = ACL_OWNER_OTHER;
	job->verdict = acl_check(session_subject(job->session), &request);
	return job->verdict.allowed;
}

/* May it be done, and is there room? The broker's own values are few, and always find some. */
static enum publish_outcome check_retained(struct worker *w, struct publish_job *job,
                                           const struct retain_change *change)
{
	if (!owner_permits(job, change))
		return PUBLISH_DENIED;
	if (!is_delete(job->msg) && job->session != NULL)
		job->full = quota_retained(w, job->session->charge.payer, change, job->msg);
	return job->full == NULL ? PUBLISH_ROUTED : PUBLISH_FULL;
}

/* While the topic's shard is held, everything is sent: mailboxes see a topic's values in number
 * order. T3 */
static void change_and_dispatch(struct worker *w, struct publish_job *job)
{
	struct retain_change *change = job->change;

	if (job->verdict.by_own && change->owner.len == 0)
		retain_own(change, job->session->origin->user_key);
	if (is_delete(job->msg)) {
		retain_delete(change, w->executor.now_ms);
		if (!job->verdict.by_own)
			retain_own(change, SLICE_EMPTY);
	} else {
		retain_put(change, job->msg);
	}
	match_topic(w, job);
	w->work += RETAINED_STEPS;
	if (needs_commit(w, job)) {
		dispatch_commit(w, job);
	} else {
		dispatch_live(w, job->msg, job->match, true);
		acknowledge_now(job, reason_of(job));
	}
	retain_require_locked(change);
	batch_send_all(w);
}

static enum publish_outcome route_retained(struct worker *w, struct publish_job *job)
{
	struct retain_change change;
	enum publish_outcome outcome;

	retain_begin(w->shared->retain, w->executor.index, msg_topic(job->msg), w->executor.now_ms,
	             &change);
	outcome = check_retained(w, job, &change);
	if (outcome == PUBLISH_ROUTED) {
		job->change = &change;
		if (durability_is_on(w) && has_to_wait(w, job))
			outcome = PUBLISH_LATER;
		else
			change_and_dispatch(w, job);
		job->change = NULL;
	}
	retain_end(&change);
	return outcome;
}

/* [MQTT3-3.3.1-12] [MQTT5-3.3.1-8] [MQTT-4.5.0-1] */
enum publish_outcome publish_route(struct worker *w, struct publish_job *job)
{
	struct route *route = w->shared->route;
	enum publish_outcome outcome = PUBLISH_ROUTED;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(job->link == NULL || job->link->session == job->session);
	REQUIRE(job->change == NULL && job->msg->number == 0);
	REQUIRE(!w->delivering); /* T4 */
	job->match = &w->router->match;
	route_read_begin(route, w->executor.index);
	if (job->msg->retain)
		outcome = route_retained(w, job);
	else if (durability_is_on(w) && has_to_wait(w, job))
		outcome = PUBLISH_LATER;
	else
		match_topic(w, job);
	route_read_end(route, w->executor.index);
	if (outcome == PUBLISH_FULL)
		session_report_retained(job->session, msg_topic(job->msg), job->full);
	if (outcome != PUBLISH_ROUTED || job->msg->retain)
		return outcome;
	if (needs_commit(w, job)) {
		dispatch_commit(w, job);
	} else {
		dispatch_live(w, job->msg, job->match, false);
		acknowledge_now(job, reason_of(job));
	}
	return PUBLISH_ROUTED;
}
