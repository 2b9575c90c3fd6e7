/* Delivery to a session: check receive permission and window, send or queue; resend after a
 * reconnect. DESIGN.md section 5, points 10 to 12. */
#include "session/session_deliver.h"

#include <stdlib.h>

#include "base/list.h"
#include "durability/record_batch.h"
#include "durability/record_codec.h"
#include "journal/journal_group.h"
#include "journal/journal_types.h"
#include "journal/record.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"
#include "session/client_link.h"
#include "session/disk_queue.h"
#include "session/link_output.h"
#include "session/memory_wait.h"
#include "session/partial_grant.h"
#include "session/publish_encode.h"
#include "session/session_journal.h"
#include "session/session_report.h"
#include "session/session_work.h"
#include "session/trace.h"
#include "worker/memory_quota.h"

/* --- sending --- */

#define WAITING_MAX 64 /* of a replay's values, so that others are not after them */

static bool may_send(const struct session *s)
{
	/* mutant: refused_gets_no_delivery */
	return s->link != NULL && s->link->accepted && s->link->holding == 0 &&
	       client_link_is_admitted(s->link) && link_output_pending(s->link) < LINK_OUTPUT_MAX;
}

/* Is there memory for its bytes, until the client has read them? What waits is to be drained. */
static bool output_has_memory(struct session *s, const struct msg *msg)
{
	if (msg == NULL || link_output_exceeds(s->link, msg_bytes(msg), true) == NULL)
		return true;
	memory_wait(s);
	return false;
}

/* [MQTT5-4.9.0-2] */
static bool window_open(const struct session *s)
{
	/* mutant: receive_maximum_exceeded */
	return s->in_flight_count < s->link->receive_maximum; /* [MQTT5-3.3.4-9] */
}

/* Nor may one who acknowledges nothing, and said no Receive Maximum, make us keep 65,535 messages.
 */
static bool window_takes_new(const struct session *s)
{
	return window_open(s) && s->sent.bytes < client_link_limits(s->link)->queue_bytes;
}

/* So much may be in flight whatever the limit: who acknowledges goes on. */
#define FLIGHT_FREE ((size_t)8192)

/* Until it is acknowledged, and until it is read. */
static bool flight_has_memory(const struct session *s, const struct msg *msg,
                              const struct delivery *d)
{
	size_t cost = inflight_cost(msg, &d->ids);

	if (s->sent.bytes + cost <= FLIGHT_FREE)
		return true;
	if (s->sent.count == 0) /* a client that acknowledges is to be drained, too */
		return quota_memory_drain(s->worker, s->charge.payer, cost) == NULL &&
		       link_output_exceeds(s->link, msg_bytes(msg), true) == NULL;
	return quota_memory(s->worker, s->charge.payer, cost) == NULL &&
	       link_output_exceeds(s->link, msg_bytes(msg), false) == NULL;
}

/* Of a message that goes to several, those are asked for only once who are alike. S3 */
static bool receive_permitted(struct session *s, const struct delivery_context *ctx)
{
	struct acl_request request = {.action = ACL_RECEIVE, .topic = msg_topic(ctx->msg)};
	const struct acl_subject *subject = session_subject(s);
	struct fan_out *f = ctx->fan_out;
	struct slice topic = request.topic;
	struct acl_verdict verdict;

	if (f == NULL) {
		verdict = acl_check(subject, &request);
	} else {
		if (f->subject == NULL || !acl_reads_alike(subject, f->subject)) {
			f->subject = subject;
			f->verdict = acl_check(subject, &request);
		}
		verdict = f->verdict;
	}
	if (!verdict.allowed)
		session_report_denial(
		    s, partial_grant_leaves_out(s, topic) ? DENIAL_FILTERED : DENIAL_RECEIVE, topic,
		    &verdict);
	return verdict.allowed;
}

static const char too_large[] = "larger than the client's Maximum Packet Size";

/* It is not sent, or not again. A client that may have it remembers the identifier of QoS 2 until
 * PUBREL, and would take the next message with that one for this: so it gets PUBREL, unasked. D2 */
static void withdraw(struct session *s, struct inflight *o)
{
	if (o->qos != 2 || !o->sent) {
		inflight_remove(s, o);
		return;
	}
	if (!o->in_flight)
		s->in_flight_count++;
	o->in_flight = true;
	inflight_release(s, o);
	session_journal_inflight(s, o);
	inflight_send_pubrel(s, o->packet_id, REASON_SUCCESS, o->position != 0);
}

/* Checked each time: what may no longer be read is not sent again; what was sent before says
 * so. [MQTT5-4.3.3-6, -7] */
static void write_sent(struct session *s, struct inflight *o)
{
	struct delivery d = inflight_delivery(o);
	bool expired = !o->sent && msg_is_expired(o->msg, s->worker->executor.now_ms);
	struct delivery_context ctx = {.msg = o->msg};
	struct publish_out p;

	publish_encode_fill(s, o->msg, &d, o->qos, &p);
	if (!publish_encode_fits(s, &p)) /* [MQTT5-3.1.2-25] */
		session_report_drop(s, DROP_TOO_LARGE, too_large);
	if (expired)
		session_report_expired_message(s, o->msg);
	if (expired || !publish_encode_fits(s, &p) ||
	    !receive_permitted(s, &ctx)) { /* [MQTT5-3.3.2-5] */
		withdraw(s, o);
		return;
	}
	p.dup = o->sent; /* [MQTT-3.3.1-1] */
	p.packet_id = o->packet_id;
	if (!o->in_flight)
		s->in_flight_count++;
	o->in_flight = o->sent = true;
	publish_encode_write(s, &ctx, &p);
}

static void on_inflight_recorded(struct journal_group *group, int status, void *executor_arg)
{
	const struct record *record = journal_group_at(group, journal_group_count(group) - 1);
	struct session *s = session_find_by_id(executor_arg, record->session_id);
	struct inflight_record sent;
	struct inflight *o;

	if (s == NULL || status != 0 || !record_read_inflight(record->value, &sent))
		return;
	o = inflight_find(s, sent.packet_id);
	if (o == NULL || o->position != record->number)
		return;
	o->storing = false;
	session_deliver_waiting(s);
}

/* Its packet identifier is durable before it is used, however little the message is: the client of
 * a session that is resumed would take another one with that identifier for this. D2 */
static void store_identifier(struct session *s, struct inflight *o)
{
	struct journal_group *group = journal_group_new(on_inflight_recorded, NULL);

	session_journal_add_inflight(group, s, o);
	o->storing = true;
	record_batch_append(s->worker, &group, JOURNAL_NOW, o->position == 0 ? &o->position : NULL);
}

/* It gets a packet identifier and a place in the window, and stays until it is acknowledged; it is
 * written after those that wait for the journal. Takes over o.
 * [MQTT3-4.3.2-1] [MQTT5-4.3.2-2] [MQTT5-4.3.3-2] */
static void send_new(struct session *s, const struct delivery_context *ctx, struct inflight *o)
{
	struct delivery d = inflight_delivery(o);
	struct publish_out p;

	publish_encode_fill(s, o->msg, &d, o->qos, &p);
	if (!publish_encode_fits(s, &p)) { /* [MQTT5-3.1.2-25] */
		session_report_drop(s, DROP_TOO_LARGE, too_large);
		record_queue_done(s->worker, s->id, o->position);
		inflight_free(o);
		return;
	}
	if (o->qos == 0) {
		publish_encode_write(s, ctx, &p);
		inflight_free(o);
		return;
	}
	o->packet_id = inflight_take_packet_id(s, o);
	p.packet_id = o->packet_id;
	o->in_flight = true;
	s->in_flight_count++;
	inflight_append(s, &s->sent, o);
	/* mutant: qos2_new_identifier, identifier_assigned_again */
	if (o->qos == 2 && session_journal_is_on(s))
		store_identifier(s, o);
	if (o->storing && s->next_resend == NULL)
		s->next_resend = o;
	if (s->next_resend != NULL)
		return;
	o->sent = true;
	publish_encode_write(s, ctx, &p);
}

/* --- queueing --- */

/* What is full, NULL: there is space. */
static const char *queue_full(const struct session *s, const struct msg *msg)
{
	const struct conf_limits *limits = session_limits(s);

	if (s->waiting.count + disk_queue_count(s) >= limits->queue_messages)
		return "limits.queue_messages is reached";
	/* A legal message may be larger by itself: max_packet_size counts its bytes on the wire. */
	/* mutant: one_message_fits_an_empty_queue */
	if (s->waiting.count + disk_queue_count(s) > 0 &&
	    s->waiting.bytes + disk_queue_bytes(s) + msg_bytes(msg) > limits->queue_bytes)
		return "limits.queue_bytes is reached";
	return NULL;
}

/* Why it is queued; for the log. */
static const char *why_not_sent(const struct session *s)
{
	if (s->link == NULL)
		return "queued: the client is offline";
	if (s->link->holding > 0)
		return "queued: SUBACK or CONNACK comes first";
	if (s->waiting.count > 0 || disk_queue_count(s) > 0 || s->next_resend != NULL)
		return "queued: older messages come first";
	if (!window_takes_new(s))
		return "queued: the client has not acknowledged what is in flight (its Receive "
		       "Maximum, or limits.queue_bytes)";
	return "queued: the client does not read fast enough, or memory is short";
}

/* False: no space, and another member of the group may have some. [MQTT3-3.1.2-5] */
static bool enqueue(struct session *s, struct msg *msg, const struct delivery *d, uint8_t qos)
{
	const char *full;

	if (s->ended) /* its subscriptions are not all gone yet */
		return false;
	if (trace_is_on())
		trace_delivery(s, msg, why_not_sent(s));
	full = d->paced ? NULL : queue_full(s, msg);
	/* Nobody waits for the disk, so nobody has asked before (durability: interval). */
	if (full == NULL && d->position != 0 && !d->stored && !d->paced)
		/* mutant: store_share_interval */
		full = disk_queue_exceeds(s, msg_bytes(msg));
	if (full == NULL && d->position != 0 && disk_queue_leave(s, d->position, msg))
		return true; /* on disk only: it takes no memory */
	if (full == NULL && !d->paced) {
		full = quota_memory(s->worker, s->charge.payer, inflight_cost(msg, &d->ids));
		/* mutant: memory_queue_on_disk */
		if (full != NULL && d->position != 0) {
			/* It waits on the disk, where it is already, and nothing is lost. */
			if (disk_queue_leave_behind(s, d->position, msg)) {
				memory_wait(s);
				return true;
			}
			full = NULL; /* something later is in memory: so must this be */
		}
	}
	if (full != NULL && d->group_id != 0)
		return false;
	if (full != NULL) {
		if (trace_is_on())
			trace_delivery(s, msg, full);
		session_report_drop(s, DROP_QUEUE_FULL, full);
		record_queue_done(s->worker, s->id, d->position);
	} else {
		inflight_append(s, &s->waiting, inflight_new(msg, d, qos));
	}
	return true;
}

/* May it overtake nobody? */
static bool goes_at_once(const struct session *s)
{
	bool resending = s->next_resend != NULL && !s->next_resend->storing;

	return may_send(s) && s->waiting.count == 0 && disk_queue_count(s) == 0 && !resending &&
	       window_takes_new(s);
}

/* [MQTT3-3.8.4-6] */
bool session_deliver(struct session *s, const struct delivery_context *ctx,
                     const struct delivery *d)
{
	struct msg *msg = ctx->msg;
	uint8_t qos = msg->qos < d->qos ? msg->qos : d->qos; /* [MQTT5-3.8.4-8] */
	struct publish_out p;
	const char *full;

	REQUIRE_OWNER(s);
	if (d->position != 0 && disk_queue_has_given(s, d->position))
		return true;
	if (!receive_permitted(s, ctx)) {
		if (d->group_id == 0)
			record_queue_done(s->worker, s->id, d->position);
		return false;
	}
	if (qos > 0) {
		if (!goes_at_once(s) || !flight_has_memory(s, msg, d))
			return enqueue(s, msg, d, qos);
		send_new(s, ctx, inflight_new(msg, d, qos));
		return true;
	}
	/* mutant: refused_gets_no_qos0 */
	if (s->link == NULL || !client_link_is_admitted(s->link)) {
		if (trace_is_on())
			trace_delivery(s, msg, "left out: QoS 0 is not kept for who is away");
		return false;
	}
	if (s->link->holding > 0 || s->waiting.qos0_count > 0)
		return enqueue(s, msg, d, 0); /* after those of its kind */
	full = link_output_exceeds(s->link, msg_bytes(msg), d->paced);
	if (full == NULL) { /* [MQTT-4.3.1-1] */
		publish_encode_fill(s, msg, d, 0, &p);
		if (publish_encode_fits(s, &p))
			publish_encode_write(s, ctx, &p);
		else
			full = too_large;
	}
	if (full != NULL) {
		if (trace_is_on())
			trace_delivery(s, msg, full);
		session_report_drop(s, full == too_large ? DROP_TOO_LARGE : DROP_NOT_READING, full);
	}
	return true;
}

/* --- what waits --- */

static void send_waiting(struct session *s, struct inflight *o)
{
	struct delivery_context ctx = {.msg = o->msg};

	REQUIRE(o->msg != NULL); /* only a released one has none, and it does not wait */
	inflight_delete(s, &s->waiting, o);
	/* mutant: permission_outlives_rule, expired_sent */
	if (!msg_is_expired(o->msg, s->worker->executor.now_ms) &&
	    receive_permitted(s, &ctx)) { /* [MQTT5-3.3.2-5] */
		send_new(s, &ctx, o);
		return;
	}
	if (msg_is_expired(o->msg, s->worker->executor.now_ms))
		session_report_expired_message(s, o->msg);
	record_queue_done(s->worker, s->id, o->position);
	inflight_free(o);
}

/* In a slice. */
#define SEND_STEPS(w) ((w)->turn_steps / 32 + 1)
#define LOOK_STEPS(w) ((size_t)16 * SEND_STEPS(w))

/* The PUBRELs that it did not answer on an earlier connection, at once, whatever the window says.
 * False: there are more. [MQTT5-3.3.4-10] [MQTT-4.4.0-1] */
static bool release_again(struct session *s, size_t *steps)
{
	size_t looks = LOOK_STEPS(s->worker);

	for (; s->unreleased != NULL && *steps > 0 && looks > 0; looks--) {
		struct inflight *o = s->unreleased;

		s->unreleased = o->next;
		if (!o->released || o->in_flight)
			continue;
		(*steps)--;
		o->in_flight = true;
		s->in_flight_count++;
		inflight_send_pubrel(s, o->packet_id, REASON_SUCCESS, o->position != 0);
	}
	return s->unreleased == NULL;
}

/* In order: what the present connection has not seen. True: nothing of it has to wait for room. */
static bool resend(struct session *s, size_t *steps)
{
	while (s->next_resend != NULL && !s->next_resend->storing) {
		struct inflight *o = s->next_resend;

		if (*steps == 0)
			return false;

		if (!may_send(s) || !(o->released || o->in_flight || window_open(s)) ||
		    !output_has_memory(s, o->msg))
			return false;
		s->next_resend = o->next;
		if (o->released) /* PUBREL went ahead */
			continue;
		(*steps)--;
		write_sent(s, o);
	}
	return true;
}

/* QoS 0 that came before a SUBACK needs no window: the next one, which is sent at once, must not
 * overtake it. [MQTT3-4.6.0-5, -6] [MQTT5-4.6.0-5, -6] */
static void send_waiting_qos0(struct session *s, size_t *steps)
{
	struct inflight *o, *next;

	if (s->waiting.qos0_count == 0)
		return;
	DL_FOREACH_SAFE (s->waiting.head, o, next) {
		if (*steps == 0 || !may_send(s) || !output_has_memory(s, o->msg))
			return;
		if (o->qos > 0)
			continue;
		(*steps)--;
		send_waiting(s, o);
	}
}

/* [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT5-4.9.0-3] */
void session_deliver_waiting(struct session *s)
{
	size_t steps;

	REQUIRE_OWNER(s);
	/* Most acknowledgements come when nothing waits. */
	if (s->waiting.head == NULL && s->next_resend == NULL && s->unreleased == NULL &&
	    s->disk_queue == NULL && s->replays == NULL)
		return;
	if (s->link == NULL || !s->link->accepted)
		return;
	/* mutant: resume_slices */
	steps = SEND_STEPS(s->worker);
	if (release_again(s, &steps)) {
		send_waiting_qos0(s, &steps);
		if (resend(s, &steps)) {
			while (steps > 0 && s->waiting.head != NULL && may_send(s) &&
			       window_takes_new(s) && output_has_memory(s, s->waiting.head->msg)) {
				steps--;
				send_waiting(s, s->waiting.head);
			}
			disk_queue_pump(s);
			session_deliver_wake_replay(s);
		}
	}
	if (steps == 0 || s->unreleased != NULL)
		session_work_add(s, SESSION_WORK_SEND);
}

size_t session_deliver_slice(struct session *s)
{
	session_deliver_waiting(s);
	return SEND_STEPS(s->worker) / 2;
}

bool session_deliver_takes_replay(const struct session *s)
{
	return s->link != NULL && s->link->holding == 0 && s->waiting.count < WAITING_MAX &&
	       client_link_is_admitted(s->link) &&
	       link_output_pending(s->link) < LINK_OUTPUT_MAX / 4;
}

void session_deliver_wake_replay(struct session *s)
{
	if (s->replays != NULL && session_deliver_takes_replay(s))
		session_work_add(s, SESSION_WORK_REPLAY);
}
