/* Store, match, number, journal: the one read section of a publish.  design.md sections 4 and 5,
 * points 6 to 9. */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/publish.h"
#include "core/server.h"

/* What waits for a group: whom to hand the message to once it is durable. */
struct commit {
	struct msg *msg;
	struct receipt *receipt;
	enum reason reason;      /* of the acknowledgement */
	uint64_t session_id;     /* with packet_id: the inbound identifier */
	uint16_t packet_id;      /* 0: none */
	bool holds_live;         /* live subscribers wait for the commit too */
	struct route_match live; /* filters only */
	size_t item_count, item_cap;
	struct target_item *items;
};

/* --- whom: targets of one match, merged by session --- */

static struct target_item *item_add(struct commit *commit)
{
	if (commit->item_count == commit->item_cap) {
		commit->item_cap = commit->item_cap == 0 ? 8 : commit->item_cap * 2;
		commit->items =
		    xrealloc_array(commit->items, commit->item_cap, sizeof(*commit->items));
	}
	return &commit->items[commit->item_count++];
}

/* [MQTT5-4.8.2-3] */
static struct target_item item_of(const struct route_target *t, uint64_t group_id)
{
	struct target_item item = {.session_id = t->session_id,
	                           .group_id = group_id,
	                           .since = t->since,
	                           .home = t->home,
	                           .qos = t->options.qos,
	                           .retain_as_published = t->options.retain_as_published,
	                           .durable = t->durable,
	                           .ids = {.one = t->subscription_id}};

	return item;
}

/* Overlapping subscriptions of one session: one copy, the highest QoS, all identifiers.
 * [MQTT3-3.3.5-1] [MQTT5-3.3.4-2, -3] */
static void item_merge(struct target_item *into, const struct target_item *more)
{
	if (more->qos > into->qos)
		into->qos = more->qos;
	if (more->since < into->since)
		into->since = more->since;
	into->retain_as_published |= more->retain_as_published;
	subids_add(&into->ids, more->ids.one);
}

static int by_session(const void *a, const void *b)
{
	const struct target_item *x = a, *y = b;

	return x->session_id < y->session_id ? -1 : x->session_id > y->session_id;
}

static void merge_items(struct commit *commit)
{
	size_t kept = 0;

	qsort(commit->items, commit->item_count, sizeof(*commit->items), by_session);
	for (size_t i = 1; i < commit->item_count; i++) {
		if (commit->items[i].session_id == commit->items[kept].session_id)
			item_merge(&commit->items[kept], &commit->items[i]);
		else
			commit->items[++kept] = commit->items[i];
	}
	commit->item_count = kept + 1;
}

static void collect_items(const struct route_match *match, const struct msg *msg,
                          struct commit *commit)
{
	bool several = false;

	for (size_t i = 0; i < match->target_count; i++) {
		const struct route_target *t = &match->targets[i].target;

		several |= match->targets[i].filter_id != match->targets[0].filter_id;
		if (!t->options.no_local ||
		    t->session_id != msg->origin->session_id) /* [MQTT5-3.8.3-3] */
			*item_add(commit) = item_of(t, 0);
	}
	if (several && commit->item_count > 1)
		merge_items(commit);
	for (size_t i = 0; i < match->share_count; i++)
		*item_add(commit) = item_of(&match->shares[i].member, match->shares[i].group_id);
}

/* Where nothing survives there is nothing to wait for: it goes at once, and a retained one in the
 * order of its topic's numbers. D4 */
static bool waits_for_commit(const struct worker *w, const struct target_item *item,
                             const struct msg *msg)
{
	return item->durable && item->qos > 0 && msg->qos > 0 &&
	       journal_is_durable(w->server->journal);
}

/* --- the group --- */

static void commit_free(struct commit *commit)
{
	msg_unref(&commit->msg);
	route_match_fini(&commit->live);
	for (size_t i = 0; i < commit->item_count; i++)
		subids_fini(&commit->items[i].ids);
	free(commit->items);
	free(commit);
}

static void carry_out(struct worker *w, struct commit *commit)
{
	for (size_t i = 0; i < commit->item_count; i++)
		handover_target(w, commit->msg, &commit->items[i], false);
	if (commit->holds_live)
		handover_live(w, commit->msg, &commit->live, false);
	if (commit->receipt != NULL)
		receipt_done(&commit->receipt, commit->reason, SLICE_EMPTY);
}

static void on_committed(struct journal_group *group, int status, void *home_arg)
{
	struct worker *w = home_arg;
	struct commit *commit = journal_group_context(group);
	struct session *s =
	    commit->packet_id == 0 ? NULL : session_find_by_id(w, commit->session_id);

	if (s != NULL)
		inbound_stored(s, commit->packet_id, status == 0);
	if (status == 0)
		carry_out(w, commit);
	else if (commit->receipt != NULL)
		receipt_failed(&commit->receipt);
	commit_free(commit);
}

static void add_record(struct journal_group *group, enum record_kind kind, uint64_t session_id,
                       uint64_t number, struct msg *msg)
{
	struct record record = {
	    .kind = kind, .session_id = session_id, .number = number, .msg = msg};

	journal_group_add(group, &record);
}

static void copy_live(struct commit *commit, const struct route_match *match)
{
	commit->holds_live = true;
	commit->live.homes = match->homes;
	commit->live.filter_count = commit->live.filter_cap = match->filter_count;
	commit->live.filters = xrealloc_array(NULL, match->filter_count, sizeof(*match->filters));
	if (match->filter_count > 0)
		memcpy(commit->live.filters, match->filters,
		       match->filter_count * sizeof(*match->filters));
}

/* One group: identifier, body, every queue record: all or nothing. [MQTT5-4.3.2-4] [MQTT5-4.3.3-8]
 */
static void append_group(struct worker *w, struct publish_job *job, struct commit *commit)
{
	struct journal_group *group = journal_group_new(on_committed, commit);

	commit->msg = msg_ref(job->msg);
	if (job->inbound != NULL) {
		commit->session_id = job->session->id;
		commit->packet_id = job->packet_id;
		add_record(group, RECORD_INBOUND, commit->session_id, commit->packet_id, NULL);
	}
	for (size_t i = 0; i < commit->item_count; i++)
		add_record(group, RECORD_QUEUE, commit->items[i].session_id, 0, job->msg);
	if (job->conn != NULL && job->msg->qos > 0)
		commit->receipt = receipt_ack(
		    job->conn, job->msg->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, job->packet_id);
	journal_append(w->server->journal, &w->home, &group, JOURNAL_NOW, NULL);
}

/* --- handing over --- */

static enum reason reason_of(const struct worker *w)
{
	bool nobody = w->match.filter_count + w->match.target_count + w->match.share_count == 0;

	return nobody ? REASON_NO_MATCHING_SUBSCRIBERS : REASON_SUCCESS;
}

static void acknowledge_now(struct publish_job *job, enum reason reason)
{
	if (job->inbound != NULL)
		job->inbound->pending = false;
	if (job->conn == NULL || job->msg->qos == 0)
		return;
	if (job->conn->version != MQTT_5_0)
		reason = REASON_SUCCESS;
	receipt_send(job->conn, job->msg->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, job->packet_id,
	             reason, SLICE_EMPTY);
}

/* Those that need no commit go at once; what remains in `commit` waits for it. */
static void hand_over_unkept(struct worker *w, struct publish_job *job, struct commit *commit)
{
	size_t kept = 0;

	for (size_t i = 0; i < commit->item_count; i++) {
		if (waits_for_commit(w, &commit->items[i], job->msg)) {
			commit->items[kept++] = commit->items[i];
			continue;
		}
		handover_target(w, job->msg, &commit->items[i], job->msg->retain);
		subids_fini(&commit->items[i].ids);
	}
	commit->item_count = kept;
}

/* An inbound identifier of a session that survives a crash is kept with what it stands for. */
static bool keeps_identifier(const struct worker *w, const struct publish_job *job)
{
	return job->inbound != NULL && job->session->durable &&
	       journal_is_durable(w->server->journal);
}

/* [MQTT-4.5.0-1] */
static void hand_over(struct worker *w, struct publish_job *job)
{
	struct commit *commit;
	bool keeps = keeps_identifier(w, job);

	if (w->match.target_count == 0 && w->match.share_count == 0 && !keeps) {
		handover_live(w, job->msg, &w->match, job->msg->retain);
		acknowledge_now(job, reason_of(w));
		return;
	}
	commit = xnew(commit);
	commit->reason =
	    job->conn != NULL && job->conn->version == MQTT_5_0 ? reason_of(w) : REASON_SUCCESS;
	collect_items(&w->match, job->msg, commit);
	if (keeps)
		copy_live(commit, &w->match);
	else
		handover_live(w, job->msg, &w->match, job->msg->retain);
	hand_over_unkept(w, job, commit);
	if (commit->item_count > 0 || keeps) {
		append_group(w, job, commit);
		return;
	}
	acknowledge_now(job, commit->reason);
	commit_free(commit);
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
	request = publish_request(job->action, job->msg);
	request.owner = ACL_OWNER_OTHER;
	job->verdict = acl_check(session_subject(job->session), &request);
	return job->verdict.allowed;
}

/* May it be done, and is there room? The broker's own values are few, and always find some. */
static enum publish_outcome judge_retained(struct worker *w, struct publish_job *job,
                                           const struct retain_change *change)
{
	if (!owner_permits(job, change))
		return PUBLISH_DENIED;
	if (!is_delete(job->msg) && job->session != NULL)
		job->full = quota_retained(w, change, job->msg);
	return job->full == NULL ? PUBLISH_ROUTED : PUBLISH_FULL;
}

static void change_retained(struct worker *w, struct publish_job *job, struct retain_change *change)
{
	if (job->verdict.by_own && change->owner.len == 0)
		retain_own(change, job->session->origin->user_key);
	if (!is_delete(job->msg)) {
		retain_put(change, job->msg);
		return;
	}
	retain_delete(change, w->home.now_ms);
	if (!job->verdict.by_own)
		retain_own(change, SLICE_EMPTY);
}

/* While the topic's stripe is held, everything is posted: inboxes see a topic's values in number
 * order. */
static enum publish_outcome route_retained(struct worker *w, struct publish_job *job)
{
	struct server *server = w->server;
	struct retain_change change;
	enum publish_outcome outcome;

	route_read_begin(server->route, w->home.index);
	retain_begin(server->retain, w->home.index, msg_topic(job->msg), w->home.now_ms, &change);
	outcome = judge_retained(w, job, &change);
	if (outcome == PUBLISH_ROUTED) {
		change_retained(w, job, &change);
		route_match(server->route, msg_topic(job->msg), &w->match);
		hand_over(w, job);
		handover_flush(w);
	}
	retain_end(&change);
	route_read_end(server->route, w->home.index);
	if (outcome == PUBLISH_FULL)
		quota_tell_refused(job->session, msg_topic(job->msg), job->full);
	return outcome;
}

/* [MQTT3-3.3.1-12] [MQTT5-3.3.1-8] */
enum publish_outcome publish_route(struct worker *w, struct publish_job *job)
{
	struct server *server = w->server;

	if (job->msg->retain)
		return route_retained(w, job);
	route_read_begin(server->route, w->home.index);
	route_match(server->route, msg_topic(job->msg), &w->match);
	route_read_end(server->route, w->home.index);
	hand_over(w, job);
	return PUBLISH_ROUTED;
}
