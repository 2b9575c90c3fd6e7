/* Packets that wait for space in the store: above a bound the broker may skip what follows, and end
 * the connection. D3, D7 */
#include "model.h"

#define WAITING_MAX_BYTES ((size_t)16 << 10) /* broker(8): after the first */
#define WAITING_COST      8                  /* of each: the time at which it came */

void model_forget_waiting(struct actor *p)
{
	p->waiting_bytes = 0;
	p->skipped_ms = NEVER;
}

/* Its will may be published from now on. */
static void may_be_ended(struct actor *p)
{
	p->skipped_ms = model_now(p->model);
	if (p->will != NULL && (p->will->will_delay_s == 0 || p->expiry_s == 0))
		model_will_published(p->will, UNKNOWN);
}

/* Packets above the bound are skipped only if deliveries are unacknowledged then. The model cannot
 * know whether they are. */
void model_counts_waiting(struct actor *p, const struct pending *sent)
{
	bool first = p->waiting_bytes == 0;

	if (!p->model->low || p->skipped_ms != NEVER || (first && sent->qos == 0 && !sent->retain))
		return;
	/* The first itself is not counted, only that there is one. */
	p->waiting_bytes += first ? 1 : sent->packet_bytes + WAITING_COST;
	if (p->waiting_bytes - 1 > WAITING_MAX_BYTES)
		may_be_ended(p);
}

/* It was read as usual. */
static void is_not_ended(struct actor *p)
{
	struct pub *will = p->will;

	model_forget_waiting(p);
	if (will == NULL || will->first_sent == NEVER)
		return;
	if (will->copies != NULL)
		model_fail(p->model, "%s: its will came, and it is connected", p->name);
	model_will_not_published(will);
}

/* By the broker, at some time since then, or by its client. */
static void ends_skipped(struct actor *p)
{
	uint64_t since_ms = p->skipped_ms;

	client_drop(p->client);
	model_ends(p, ENDING_BROKEN);
	if (p->exists == YES)
		p->may_end_ms = since_ms + (uint64_t)p->expiry_s * 1000;
	if (p->pending_will != NULL)
		p->pending_will->will_may_ms =
		    since_ms + (uint64_t)p->pending_will->will_delay_s * 1000;
}

/* If the client acknowledges everything, its connection has ended or nothing was skipped. Of
 * another the model cannot know, so the client ends it. */
static bool require_end_of_skipped(struct actor *p)
{
	struct client *c = p->client;

	if (p->link != LINK_UP || p->skipped_ms == NEVER) {
		p->waiting_bytes = 0;
		return false;
	}
	if (c->closed) {
		if (c->version == MQTT_5_0 && c->disconnect_reason != REASON_QUOTA_EXCEEDED)
			model_fail(p->model, "%s: the broker ended the connection (0x%02x)",
			           p->name, c->disconnect_reason);
		COVER(p->model, STORE_SKIPPED);
		ends_skipped(p);
		return false;
	}
	if (!c->stalled && c->unacked_count == 0) {
		is_not_ended(p);
		return false;
	}
	ends_skipped(p);
	return true;
}

bool model_ends_skipped(struct model *m)
{
	bool moves = false;

	for (unsigned i = 0; i < m->actors_count; i++)
		moves |= require_end_of_skipped(&m->actors[i]);
	return moves;
}
