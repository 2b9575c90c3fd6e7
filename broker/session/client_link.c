/* Reading from a client, and what it takes. */
#include "session/client_link.h"

/* --- reading --- */

void client_link_review(struct client_link *link)
{
	struct worker_output *output = link->worker->output;

	REQUIRE_OWNER(link);
	if (link->in_review)
		return;
	link->in_review = true;
	link->next_review = output->review;
	output->review = link;
}

/* One that moves takes its pause along: a worker may have counted the end alone, and the sum is
 * right. */
static _Atomic uint64_t *paused_by(const struct client_link *link, enum pause_reason why)
{
	return &link->worker->counters.paused_by_reason[__builtin_ctz((unsigned)why)];
}

void client_link_pause(struct client_link *link, enum pause_reason why)
{
	REQUIRE_OWNER(link);
	REQUIRE(why != 0);
	if (link->pauses == 0) {
		stream_pause(link->stream);
		link->paused_ms = link->worker->executor.now_ms;
	}
	if ((link->pauses & why) == 0)
		count(paused_by(link, why));
	link->pauses |= (uint16_t)why;
}

void client_link_unpause(struct client_link *link, enum pause_reason why)
{
	REQUIRE_OWNER(link);
	REQUIRE((link->pauses & why) != 0);
	uncount(paused_by(link, why), 1);
	link->pauses &= (uint16_t)~why;
}

void client_link_forget_pauses(struct client_link *link)
{
	REQUIRE_OWNER(link);
	/* mutant: pauses_end */
	while (link->pauses != 0)
		client_link_unpause(link, link->pauses & -link->pauses);
}

/* --- what it takes --- */

/* [MQTT5-3.1.2-24, -29] */
struct slice client_link_reason_string(const struct client_link *link, struct slice text,
                                       size_t rest)
{
	bool fits = text.len + rest <= link->max_packet_bytes;

	return link->no_problem_information || !fits ? SLICE_EMPTY : text;
}

struct fault client_link_check_properties(const struct client_link *link,
                                          const struct properties *properties)
{
	if (properties->user_count == 0)
		return FAULT_NONE;
	return properties->user_count <= client_link_limits(link)->user_properties
	           ? FAULT_NONE
	           : fault_of(REASON_QUOTA_EXCEEDED,
	                      "there are more User Properties than limits.user_properties");
}

struct fault client_link_read_ack(const struct client_link *link, const struct frame *f,
                                  struct ack *out)
{
	return packet_ack_decode(f, link->version, out);
}
