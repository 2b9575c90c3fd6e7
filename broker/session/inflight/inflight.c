/* Lists of a session's messages, and its packet identifiers: a table by the lowest bits. */
#include "session/inflight/inflight.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "durability/record_batch.h"
#include "proto/packet_ack.h"
#include "session/client_link.h"
#include "session/inflight/pending_ack.h"

static inline size_t cost_alone(const struct subscription_ids *ids)
{
	size_t cost = sizeof(struct inflight) + CHARGE_ALLOC;

	if (subscription_ids_count(ids) > 0)
		cost += sizeof(struct delivery_info) + CHARGE_ALLOC;
	if (ids->list != NULL)
		cost += sizeof(*ids->list) + ids->list->cap * sizeof(uint32_t) + CHARGE_ALLOC;
	return cost;
}

size_t inflight_cost(const struct msg *msg, const struct subscription_ids *ids)
{
	return cost_alone(ids) + msg_bytes(msg) + CHARGE_ALLOC;
}

static size_t cost_of(const struct inflight *o, size_t message_bytes)
{
	return o->cost + (o->msg == NULL ? 0 : message_bytes + CHARGE_ALLOC);
}

void inflight_append(struct session *s, struct inflight_list *list, struct inflight *o)
{
	struct counters *counters = &s->worker->counters;
	size_t bytes = o->msg == NULL ? 0 : msg_bytes(o->msg);

	/* mutant: order */
	DL_APPEND(list->head, o);
	list->count++;
	list->qos0_count += o->qos == 0;
	list->bytes += bytes;
	charge_add(s->worker, &s->charge, cost_of(o, bytes));
	count(&counters->queued);
	count_by(&counters->queued_memory_bytes, bytes);
}

void inflight_delete(struct session *s, struct inflight_list *list, struct inflight *o)
{
	struct counters *counters = &s->worker->counters;
	size_t bytes = o->msg == NULL ? 0 : msg_bytes(o->msg);

	if (s->unreleased == o)
		s->unreleased = o->next;
	if (s->noting == o)
		s->noting = o->next;
	if (s->giving == o)
		s->giving = o->next;
	REQUIRE(list->count > 0);
	DL_DELETE(list->head, o);
	list->count--;
	list->qos0_count -= o->qos == 0;
	list->bytes -= bytes;
	charge_sub(s->worker, &s->charge, cost_of(o, bytes));
	uncount(&counters->queued, 1);
	uncount(&counters->queued_memory_bytes, bytes);
}

void inflight_free(struct inflight *o)
{
	msg_unref(&o->msg);
	if (o->info != NULL)
		subscription_ids_fini(&o->info->ids);
	free(o->info);
	free(o);
}

static struct delivery_info *delivery_info_new(const struct delivery *d)
{
	struct delivery_info *info;

	if (d->group_id == 0 && subscription_ids_count(&d->ids) == 0)
		return NULL;
	info = xnew(info);
	info->group_id = d->group_id;
	info->ids = subscription_ids_ref(&d->ids);
	return info;
}

struct inflight *inflight_new(struct msg *msg, const struct delivery *d, uint8_t qos)
{
	struct inflight *o = xalloc(sizeof(*o));

	*o = (struct inflight){.msg = msg_ref(msg),
	                       .info = delivery_info_new(d),
	                       .position = d->position,
	                       .cost = (uint32_t)cost_alone(&d->ids),
	                       .qos = qos,
	                       .retain = d->retain};
	return o;
}

struct delivery inflight_delivery(const struct inflight *o)
{
	struct delivery d = {.qos = o->qos, .retain = o->retain, .position = o->position};

	if (o->info != NULL) {
		d.group_id = o->info->group_id;
		d.ids = o->info->ids;
	}
	return d;
}

struct inflight *inflight_find(const struct session *s, uint16_t packet_id)
{
	struct inflight *o = s->slot_count == 0 ? NULL : s->slots[packet_id & (s->slot_count - 1)];

	return o != NULL && o->packet_id == packet_id ? o : NULL;
}

static void slots_grow(struct session *s)
{
	uint32_t count = s->slot_count == 0 ? 16 : s->slot_count * 2;
	struct inflight **slots = xcalloc(count, sizeof(*slots));
	struct inflight *o;

	DL_FOREACH (s->sent.head, o) {
		slots[o->packet_id & (count - 1)] = o;
	}
	free(s->slots);
	charge_add(s->worker, &s->charge, (count - s->slot_count) * sizeof(*slots));
	s->slots = slots;
	s->slot_count = count;
}

static void slots_grow_for(struct session *s)
{
	if (s->sent.count * 2 >= s->slot_count && s->slot_count < 131072)
		slots_grow(s);
}

/* An identifier not in use, whose slot is free; ids go round, so that a late acknowledgement seldom
 * meets a new owner. [MQTT3-2.3.1-4] [MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1] */
uint16_t inflight_take_packet_id(struct session *s, struct inflight *o)
{
	REQUIRE(s->sent.count < UINT16_MAX); /* one of them is free */
	slots_grow_for(s);
	do {
		s->next_packet_id++;
	} while (s->next_packet_id == 0 ||
	         s->slots[s->next_packet_id & (s->slot_count - 1)] != NULL);
	s->slots[s->next_packet_id & (s->slot_count - 1)] = o;
	return s->next_packet_id;
}

void inflight_restore(struct session *s, struct inflight *o, uint16_t packet_id)
{
	slots_grow_for(s);
	while (s->slots[packet_id & (s->slot_count - 1)] != NULL)
		slots_grow(s);
	o->packet_id = packet_id;
	s->slots[packet_id & (s->slot_count - 1)] = o;
	inflight_append(s, &s->sent, o);
	if (s->next_resend == NULL)
		s->next_resend = o;
	s->next_packet_id = packet_id;
}

void inflight_remove(struct session *s, struct inflight *o)
{
	REQUIRE(s->slots[o->packet_id & (s->slot_count - 1)] == o);
	record_queue_done(s->worker, s->id, o->position);
	s->slots[o->packet_id & (s->slot_count - 1)] = NULL;
	if (s->next_resend == o)
		s->next_resend = o->next;
	if (o->in_flight)
		s->in_flight_count--;
	inflight_delete(s, &s->sent, o);
	inflight_free(o);
}

void inflight_release(struct session *s, struct inflight *o)
{
	REQUIRE(o->qos == 2 && !o->released);
	o->released = true;
	s->sent.bytes -= msg_bytes(o->msg);
	uncount(&s->worker->counters.queued_memory_bytes, msg_bytes(o->msg));
	charge_sub(s->worker, &s->charge, msg_bytes(o->msg) + CHARGE_ALLOC);
	msg_unref(&o->msg);
}

/* [MQTT5-3.6.2-2, -3] */
void inflight_send_pubrel(struct session *s, uint16_t packet_id, enum reason reason, bool stored)
{
	struct buf bytes = {0};
	struct pending_ack *pending_ack;

	REQUIRE_OWNER(s);
	packet_ack_encode(&bytes, s->link->version, PACKET_PUBREL, packet_id, reason, SLICE_EMPTY);
	pending_ack = pending_ack_packet(s->link, PACKET_PUBREL, &bytes);
	if (stored)
		pending_ack_commit(s->worker, &pending_ack);
	else
		pending_ack_done(&pending_ack, REASON_SUCCESS, SLICE_EMPTY);
}
