/* See subscribe_request.h.  Steps are about what a short filter costs; a long one is several. */
#include "session/subscribe_request.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "proto/packet_subscribe.h"
#include "session/client_link.h"
#include "session/inflight/pending_ack.h"
#include "session/replay.h"
#include "session/session.h"
#include "session/session_deliver.h"
#include "session/session_journal.h"
#include "session/session_lifecycle.h"

/* Of what a connection may cause in a turn: a quarter of a millisecond at most. */
#define CHECK_STEPS(w) ((w)->turn_steps)
#define DO_STEPS(w)    ((w)->turn_steps / 16)
#define STEP_BYTES     64
/* Where rules or filters are such that a step takes long, the clock says when to stop. */
#define LOOK_STEPS 32
#define SLICE_NS   UINT64_C(250000)

static struct slice entries_of(const struct request *r, const struct frame *f)
{
	return slice_skip(f->body, r->entries_at);
}

/* --- what is to be written down --- */

void subscribe_request_add_changed(struct request *r, struct subscription *sub)
{
	if (sub->changed)
		return;
	sub->changed = true;
	array_reserve(r->changed, r->changed_cap, r->changed_count + 1);
	r->changed[r->changed_count++] = sub;
}

static void record_some(struct request *r, size_t steps)
{
	while (r->recorded < r->changed_count && steps-- > 0) {
		struct subscription *sub = r->changed[r->recorded++];

		sub->changed = false;
		session_journal_subscription(sub);
		replay_record(sub);
	}
}

/* --- its life --- */

static struct fault begin_request(struct client_link *link, const struct frame *f,
                                  const struct request_kind *kind)
{
	struct subscribe packet;
	struct fault fault = packet_subscribe_decode_head(f, link->version, &packet);
	struct request *r;

	if (!fault_is_none(fault))
		return fault;
	if (packet.entries.len == 0) /* [MQTT3-3.8.3-3] [MQTT5-3.8.3-2] [MQTT-3.10.3-2] */
		return fault_of(REASON_PROTOCOL_ERROR, "there is no topic filter");
	r = xnew(r);
	r->packet_id = packet.packet_id;
	r->refusal = client_link_check_properties(link, &packet.properties);
	r->entries_at = f->body.len - packet.entries.len;
	if (properties_have(&packet.properties, PROPERTY_SUBSCRIPTION_ID))
		r->subscription_id = packet.properties.subscription_id;
	link->request = r;
	if (kind->holds_deliveries) /* nothing of it before its SUBACK [MQTT-3.8.4-1] */
		link->holding++;
	return FAULT_NONE;
}

static void request_free(struct client_link *link)
{
	struct request *r = link->request;

	link->request = NULL;
	link->request_bytes = 0;
	buf_fini(&r->reasons);
	free(r->changed);
	free(r);
}

void subscribe_request_forget(struct client_link *link)
{
	REQUIRE_OWNER(link);
	if (link->request == NULL)
		return;
	record_some(link->request, SIZE_MAX);
	request_free(link);
}

/* --- slices --- */

static struct fault check_some(struct client_link *link, const struct frame *f,
                               const struct request_kind *kind)
{
	struct request *r = link->request;
	struct slice all = entries_of(r, f), left = slice_skip(all, r->checked);
	size_t steps = CHECK_STEPS(link->worker);
	struct fault fault = kind->check(link, &left, &steps);

	r->checked = all.len - left.len;
	return fault;
}

static void do_some(struct client_link *link, const struct frame *f,
                    const struct request_kind *kind)
{
	struct request *r = link->request;
	struct slice all = entries_of(r, f), left = slice_skip(all, r->done);
	uint64_t begin_ns = clock_monotonic_ns();
	size_t steps = 0, look = LOOK_STEPS;

	/* mutant: request_slices */
	while (left.len > 0 && steps < DO_STEPS(link->worker)) {
		size_t before = left.len;

		buf_put_u8(&r->reasons, kind->next(link, r, &left));
		steps += 1 + (before - left.len) / STEP_BYTES;
		if (steps < look)
			continue;
		look = steps + LOOK_STEPS;
		/* mutant: request_slices_by_time */
		if (clock_monotonic_ns() - begin_ns > SLICE_NS)
			break;
	}
	r->done = all.len - left.len;
}

/* One that the client does not take cannot be sent [MQTT5-3.1.2-24], and without it there is no
 * going on. */
static struct fault answer_request(struct client_link *link, const struct request_kind *kind)
{
	struct buf bytes = {0};
	struct pending_ack *pending_ack;

	kind->encode(link, link->request, &bytes);
	request_free(link);
	if (bytes.len > link->max_packet_bytes) {
		buf_fini(&bytes);
		return fault_of(REASON_PACKET_TOO_LARGE,
		                "the acknowledgement is larger than the client's Maximum Packet "
		                "Size");
	}
	REQUIRE(!kind->holds_deliveries || link->holding > 0);
	pending_ack = pending_ack_packet(link, kind->answer, &bytes);
	session_lifecycle_commit(link->session, &pending_ack);
	if (!kind->holds_deliveries || --link->holding > 0)
		return FAULT_NONE;
	session_deliver_waiting(link->session);
	session_deliver_wake_replay(link->session);
	return FAULT_NONE;
}

struct fault subscribe_request_run(struct client_link *link, const struct frame *f,
                                   const struct request_kind *kind)
{
	struct request *r;
	size_t len;
	struct fault fault;

	REQUIRE_OWNER(link);
	REQUIRE(link->session != NULL);
	if (link->request == NULL && !fault_is_none(fault = begin_request(link, f, kind)))
		return fault;
	r = link->request;
	len = entries_of(r, f).len;
	if (r->checked < len && !fault_is_none(fault = check_some(link, f, kind)))
		return fault;
	if (r->checked == len && r->done < len)
		do_some(link, f, kind);
	else
		record_some(r, DO_STEPS(link->worker));
	if (r->done == len && r->changed_count <= DO_STEPS(link->worker))
		record_some(r, DO_STEPS(link->worker));
	if (r->done < len || r->recorded < r->changed_count) {
		/* For link_output_count: what it takes besides the packet. */
		link->request_bytes =
		    sizeof(*r) + r->reasons.cap + r->changed_cap * sizeof(*r->changed);
		return FAULT_NONE;
	}
	return answer_request(link, kind);
}
