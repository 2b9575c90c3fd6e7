/* Store, match, number: the one read section of a publish.  What of it must be durable first is in
 * publish_group.c.  DESIGN.md sections 4 and 5, points 6 to 9. */
#include "routing/publish_route.h"

#include "durability/durability.h"
#include "routing/batch.h"
#include "routing/dispatch.h"
#include "routing/publish_group.h"
#include "routing/publish_match.h"
#include "routing/router.h"
#include "routing/waiting_publisher.h"
#include "session/inflight/pending_ack.h"
#include "session/session_report.h"
#include "session/trace.h"
#include "tree/route_match.h"
#include "worker/memory_quota.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

#define RETAINED_STEPS 4 /* work of a turn (worker.h) */

/* --- handing over --- */

static size_t receivers_of(const struct publish_job *job)
{
	return job->match->filter_count + job->match->target_count + job->match->share_count;
}

/* 3.1.1 has no reasons in its acknowledgements. */
static enum reason reason_of(const struct publish_job *job)
{
	if (job->link == NULL || job->link->version != MQTT_5_0 || receivers_of(job) > 0)
		return REASON_SUCCESS;
	return REASON_NO_MATCHING_SUBSCRIBERS;
}

static void acknowledge_now(struct publish_job *job, enum reason reason)
{
	if (job->inbound != NULL)
		job->inbound->pending = false;
	if (job->link == NULL || job->msg->qos == 0)
		return;
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

	if (!commit->holds_live)
		dispatch_live(w, job->msg, job->match, job->msg->retain);
	commit->reason = reason_of(job);
	if (!commit_append(w, job, &commit))
		acknowledge_now(job, commit->reason);
	commit_free(commit);
}

#define SPACE_PLENTY ((uint64_t)16 << 20) /* more than one message ever takes */

/* There is no space for what it adds. Only clients wait: nobody else can. Inside a read section. */
static bool has_to_wait(struct worker *w, const struct publish_job *job)
{
	struct journal *journal = w->shared->journal;
	size_t bytes;

	if (job->link == NULL || journal_free_space(journal) > SPACE_PLENTY)
		return false;
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

/* May it wait for later turns? Its receivers are known. */
static const char *waiting_exceeds(const struct worker *w, const struct publish_job *job)
{
	/* mutant: waiting_is_asked_for */
	if (job->link == NULL || !waiting_publisher_is_likely(w))
		return NULL;
	return waiting_publisher_exceeds(
	    job->session, msg_bytes(job->msg) + job->match->filter_count * sizeof(uint64_t) +
			      job->to->item_count * sizeof(*job->to->items));
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
	job->to = &w->router->match;
	job->match = &job->to->match;
	route_read_begin(route, w->executor.index);
	if (!publish_match_go_on(w, job))
		outcome = job->full == NULL ? PUBLISH_GOES_ON : PUBLISH_NO_MEMORY;
	else if ((job->full = waiting_exceeds(w, job)) != NULL)
		outcome = PUBLISH_NO_MEMORY;
	else if (job->msg->retain)
		outcome = route_retained(w, job);
	else if (durability_is_on(w) && has_to_wait(w, job))
		outcome = PUBLISH_LATER;
	route_read_end(route, w->executor.index);
	if (trace_is_on() && outcome == PUBLISH_ROUTED)
		trace_routed(job->session, job->msg, receivers_of(job));
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

#define OWN_STEPS 8 /* work of a turn (worker.h), where there is hardly anybody */

bool publish_route_slices(struct worker *w, struct publish_job *job, uint64_t until,
                          enum publish_outcome *outcome)
{
	const uint64_t turn_until = w->work_until;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(job->link == NULL);
	job->rests = &w->router->own;
	/* Of its deliveries, too, only so many are made at once. */
	w->work_until = until < turn_until ? until : turn_until;
	do {
		w->work += OWN_STEPS;
		*outcome = publish_route(w, job);
	} while (*outcome == PUBLISH_GOES_ON && w->work < until);
	w->work_until = turn_until;
	if (*outcome == PUBLISH_GOES_ON)
		return false;
	publish_match_forget_own(w, &w->router->own);
	return true;
}
