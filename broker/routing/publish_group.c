/* What waits for a group, and what follows it. */
#include "routing/publish_group.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "durability/durability.h"
#include "durability/record_batch.h"
#include "durability/record_codec.h"
#include "routing/batch.h"
#include "routing/dispatch.h"
#include "routing/group_prepare.h"
#include "routing/publish_job.h"
#include "routing/publish_match.h"
#include "routing/router.h"
#include "session/client_link.h"
#include "session/inflight/inbound.h"
#include "session/inflight/input_limit.h"
#include "session/inflight/pending_ack.h"
#include "session/session.h"
#include "session/session_journal.h"
#include "tree/retain.h"
#include "tree/route_match.h"
#include "tree/route_share.h"
#include "tree/target_set.h"
#include "tree/topic_owners.h"
#include "worker/shared.h"

/* --- what has to be kept --- */

bool commit_is_wanted(const struct worker *w, const struct publish_job *job)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (!durability_is_on(w))
		return false;
	return job->msg->retain || job->ends_will ||
	       (job->inbound != NULL && job->session->durable);
}

#define ROW_BYTES 256 /* with its part of a page */

/* A value in the place of another that is not much smaller takes nothing: a thermometer's. */
static size_t retained_adds(const struct publish_job *job)
{
	size_t bytes = msg_bytes(job->msg) + ROW_BYTES, before = 0;

	if (!job->msg->retain || msg_payload(job->msg).len == 0)
		return 0;
	if (job->change->current != NULL)
		before = msg_bytes(job->change->current) + ROW_BYTES + ROW_BYTES;
	return bytes > before ? bytes - before : 0;
}

static size_t queues_add(const struct publish_job *job)
{
	size_t rows = 0;

	for (size_t i = 0; i < job->match->target_count; i++)
		rows += job->match->targets[i].target.durable;
	for (size_t i = 0; i < job->match->share_count; i++)
		rows += job->match->shares[i].member.durable;
	return rows == 0 || job->msg->qos == 0 ? 0 : msg_bytes(job->msg) + rows * ROW_BYTES;
}

size_t commit_adds(const struct worker *w, const struct publish_job *job)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (durability_of_topic(w, msg_topic(job->msg)) == DURABILITY_NONE)
		return 0;
	return retained_adds(job) + queues_add(job);
}

struct commit *commit_new(struct worker *w, struct publish_job *job)
{
	const struct route_match *match = job->match;
	struct commit *commit = xnew(commit);

	REQUIRE_EXECUTOR(&w->executor);
	commit->msg = msg_ref(job->msg);
	commit->items = job->to->items;
	commit->item_count = job->to->item_count;
	job->to->items = NULL;
	job->to->item_count = job->to->item_cap = 0;
	commit->durability = group_durability(w, job);
	if (job->to->prepared.group != NULL) {
		commit->durability = job->to->prepared.durability;
		commit->queued = job->to->prepared.group;
		job->to->prepared = (struct prepared_group){0};
	}
	if (job->session != NULL)
		commit->session_id = job->session->id;
	if (job->inbound != NULL) {
		REQUIRE(job->session != NULL && job->packet_id != 0);
		job->inbound->durability = commit->durability;
		commit->packet_id = job->packet_id;
		commit->records_identifier =
		    job->session->durable && commit->durability != DURABILITY_NONE;
	}
	commit->reports_reason =
	    job->link != NULL && job->link->version == MQTT_5_0 && job->msg->qos > 0;
	commit->holds_live =
	    commit->durability == DURABILITY_ACK && (commit->records_identifier || job->ends_will);
	if (commit->holds_live && match->filter_count > 0) {
		commit->live.executors = match->executors;
		commit->live.filter_count = commit->live.filter_cap = match->filter_count;
		commit->live.filters =
		    xrealloc_array(NULL, match->filter_count, sizeof(*match->filters));
		memcpy(commit->live.filters, match->filters,
		       match->filter_count * sizeof(*match->filters));
	}
	return commit;
}

void commit_free(struct commit *commit)
{
	if (commit == NULL)
		return;
	msg_unref(&commit->msg);
	route_match_fini(&commit->live);
	for (size_t i = 0; i < commit->item_count; i++)
		subscription_ids_fini(&commit->items[i].ids);
	free(commit->items);
	journal_group_free(commit->queued);
	free(commit);
}

/* --- after the commit --- */

static bool is_recorded(const struct commit *commit, const struct target_item *item)
{
	return item->durable && item->qos > 0 && commit->msg->qos > 0 &&
	       commit->durability != DURABILITY_NONE;
}

/* Those who had to wait, for a crash would let them have it twice. */
static void dispatch_pending(struct worker *w, struct commit *commit)
{
	for (size_t i = 0; i < commit->item_count; i++) {
		if (!is_recorded(commit, &commit->items[i]))
			dispatch_target(w, commit->msg, &commit->items[i], false);
	}
	dispatch_live(w, commit->msg, &commit->live, false);
}

/* While it waits for the disk. */
static size_t memory_of(const struct commit *commit)
{
	return sizeof(*commit) + msg_bytes(commit->msg) +
	       commit->item_count * sizeof(*commit->items) + 3 * CHARGE_ALLOC;
}

/* --- when all queues are full --- */

#define REFUSED_TEXT "no receiver has space for it"

/* A member of a $share group that did not take it: is there another one? */
static bool another_takes(struct worker *w, const struct record *record)
{
	struct route_target next;
	struct delivery_record delivery;

	if (record->group_id == 0 || !record_read_delivery(record->value, &delivery) ||
	    delivery.tried_count + 1 >= RECORD_TRIED_MAX)
		return false;
	delivery.tried[delivery.tried_count++] = record->session_id;
	subscription_ids_fini(&delivery.ids);
	return route_share_pick(w->shared->route, w->executor.index, record->group_id,
	                        delivery.tried, delivery.tried_count, &next);
}

/* It was for queues in the store, and those that are still there refused it. */
static bool is_refused(struct worker *w, const struct journal_group *group,
                       const struct commit *commit)
{
	bool queued = false;

	for (size_t i = 0; !commit->taken && i < journal_group_count(group); i++) {
		const struct record *record = journal_group_at(group, i);

		if (record->kind != RECORD_QUEUE)
			continue;
		if (journal_group_stored(group, i) || another_takes(w, record))
			return false;
		/* mutant: refused_by_who_has_gone */
		queued = queued || journal_group_refused(group, i);
	}
	return queued;
}

static void report_refused(struct commit *commit)
{
	struct client_link *link = commit->pending_ack == NULL ? NULL : commit->pending_ack->link;

	if (commit->pending_ack != NULL)
		pending_ack_done(&commit->pending_ack, REASON_QUOTA_EXCEEDED,
		                 link == NULL ? SLICE_EMPTY
		                              : client_link_reason_string(link, SLICE(REFUSED_TEXT),
		                                                          REASON_STRING_REST));
	commit_free(commit);
}

static void on_identifier_free(struct journal_group *group, int status, void *executor_arg)
{
	struct commit *commit = journal_group_context(group);
	struct session *s = session_find_by_id(executor_arg, commit->session_id);

	if (s != NULL)
		inbound_refused(s, commit->packet_id, status == 0, SLICE(REFUSED_TEXT));
	if (status == 0) {
		report_refused(commit);
		return;
	}
	if (commit->pending_ack != NULL)
		pending_ack_failed(&commit->pending_ack);
	commit_free(commit);
}

/* The publisher hears of it. The client can use the identifier of QoS 2 again then: so it has to be
 * free on disk first, or the next message with it were taken for this. [MQTT5-4.3.3-9] */
static void refuse(struct worker *w, struct session *s, struct commit *commit)
{
	/* mutant: store_share_identifier */
	if (commit->records_identifier && s != NULL) {
		session_journal_inbound_done(s, commit->packet_id, true);
		record_batch_commit(w, on_identifier_free, commit);
		return;
	}
	if (commit->packet_id != 0 && s != NULL)
		inbound_refused(s, commit->packet_id, true, SLICE(REFUSED_TEXT));
	report_refused(commit);
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct worker *w = executor_arg;
	struct commit *commit = journal_group_context(group);
	struct session *s = session_find_by_id(w, commit->session_id);

	if (s != NULL && s->groups_pending > 0) {
		REQUIRE(s->pending_bytes >= memory_of(commit));
		s->groups_pending--;
		s->pending_bytes -= memory_of(commit);
		charge_sub(w, &s->charge, memory_of(commit));
	}
	/* mutant: store_share_reason */
	if (status == 0 && commit->reports_reason && is_refused(w, group, commit)) {
		refuse(w, s, commit);
		return;
	}
	if (s != NULL && commit->packet_id != 0)
		inbound_stored(s, commit->packet_id, status == 0);
	if (status == 0 && commit->holds_live)
		dispatch_pending(w, commit);
	if (commit->pending_ack != NULL && status == 0)
		pending_ack_done(&commit->pending_ack, commit->reason, SLICE_EMPTY);
	else if (commit->pending_ack != NULL)
		pending_ack_failed(&commit->pending_ack);
	commit_free(commit);
}

/* --- the group --- */

static void add_plain(struct journal_group *group, enum record_kind kind, uint64_t session_id,
                      uint64_t number)
{
	struct record record = {.kind = kind, .session_id = session_id, .number = number};

	journal_group_add(group, &record);
}

static void add_retained(struct worker *w, struct journal_group *group,
                         const struct publish_job *job)
{
	const struct retain_change *change = job->change;
	struct retained_record retained = {.owner = change->owner};
	/* mutant: stale_retained */
	struct record record = {.kind = RECORD_RETAINED,
	                        .number = change->number,
	                        .name = msg_topic(job->msg),
	                        .msg = change->current};
	struct buf value = {0};

	retain_require_locked(change);
	if (change->current == NULL && change->owner.len > 0)
		retained.owned_until_ms =
		    journal_time_ms(w->shared->journal, change->now_ms + TOPIC_OWNERS_RETENTION_MS);
	if (change->current != NULL || change->owner.len > 0)
		record_put_retained(&value, &retained);
	record.value = buf_slice(&value);
	journal_group_add(group, &record);
	buf_fini(&value);
}

/* Identifier, will, retained change, every queue record: all or nothing. [MQTT5-4.3.2-4]
 * [MQTT5-4.3.3-8] */
static struct journal_group *group_of(struct worker *w, const struct publish_job *job,
                                      struct commit *commit)
{
	bool waits = commit->durability == DURABILITY_ACK;
	bool is_prepared = commit->queued != NULL;
	struct journal_group *group = is_prepared ? commit->queued : journal_group_new(NULL, NULL);

	commit->queued = NULL;
	/* mutant: qos2_again */
	if (commit->records_identifier)
		add_plain(group, RECORD_INBOUND, commit->session_id, commit->packet_id);
	if (job->ends_will)
		add_plain(group, RECORD_WILL_DONE, commit->session_id, 0);
	if (job->change != NULL && commit->durability != DURABILITY_NONE)
		add_retained(w, group, job);
	for (size_t i = 0; !is_prepared && i < commit->item_count; i++) {
		if (is_recorded(commit, &commit->items[i]))
			record_batch_queue(w, group, &commit->items[i], job->msg, waits);
	}
	return group;
}

/* At once: those that are not kept, and where nobody waits for the disk those that are, by the
 * positions they got. */
static void dispatch_items(struct worker *w, struct publish_job *job, struct commit *commit,
                           uint64_t position)
{
	for (size_t i = 0; i < commit->item_count; i++) {
		struct target_item *item = &commit->items[i];

		if (is_recorded(commit, item)) {
			if (commit->durability == DURABILITY_ACK)
				continue; /* dispatch_on_queued, at its executor */
			item->position = position++;
			w->router->outbox_unstored = true;
		}
		dispatch_target(w, job->msg, item, job->msg->retain);
	}
}

static void wait_for_it(struct worker *w, struct publish_job *job, struct commit *commit)
{
	if (job->session != NULL) {
		job->session->groups_pending++;
		job->session->pending_bytes += memory_of(commit);
		charge_add(w, &job->session->charge, memory_of(commit));
	}
	if (job->link == NULL || job->msg->qos == 0)
		return;
	commit->pending_ack = pending_ack_ack(
	    job->link, job->msg->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, job->packet_id);
}

/* Nobody waits for a retained change of QoS 0 alone: it goes with the next commit. */
static bool urgent(const struct journal_group *group, const struct publish_job *job,
                   const struct commit *commit)
{
	bool retained_alone = journal_group_count(group) == 1 && job->change != NULL;

	return commit->durability == DURABILITY_ACK && !(retained_alone && job->msg->qos == 0);
}

/* No publisher may fill the memory of a slow journal, whether or not it waits for it. */
static void append_for(struct publish_job *job, struct worker *w, struct journal_group **group,
                       enum journal_urgency urgency, uint64_t *position)
{
	record_batch_append(w, group, urgency, position);
	/* mutant: input_limit_lazy */
	if (job->link != NULL)
		input_limit_note_journal(job->link);
}

/* A live subscriber has it when it is in its worker's batch; so has what is retained. */
static bool is_taken(const struct publish_job *job, const struct commit *commit)
{
	if (job->match->filter_count > 0 || (job->change != NULL && job->change->current != NULL))
		return true;
	for (size_t i = 0; i < commit->item_count; i++) {
		if (!is_recorded(commit, &commit->items[i]))
			return true;
	}
	return false;
}

bool commit_append(struct worker *w, struct publish_job *job, struct commit **commit)
{
	struct commit *waiting = *commit;
	struct journal_group *group = group_of(w, job, waiting);
	uint64_t position = 0;

	REQUIRE_EXECUTOR(&w->executor);
	/* mutant: store_share_taken */
	waiting->taken = is_taken(job, waiting);
	if (journal_group_count(group) == 0) {
		journal_group_free(group);
		dispatch_items(w, job, waiting, 0);
		return false;
	}
	if (urgent(group, job, waiting)) {
		if (!waiting->holds_live)
			dispatch_items(w, job, waiting, 0);
		/* mutant: early_ack */
		wait_for_it(w, job, waiting);
		*commit = NULL;
		journal_group_await(group, on_committed, waiting);
		if (w->router
		        ->outbox_unstored) /* the journal may be faster than the end of the turn */
			batch_send_all(w);
		append_for(job, w, &group, JOURNAL_NOW, NULL);
		return true;
	}
	append_for(job, w, &group,
	           waiting->durability == DURABILITY_ACK ? JOURNAL_NEXT : JOURNAL_INTERVAL,
	           &position);
	dispatch_items(w, job, waiting, position);
	return false;
}
