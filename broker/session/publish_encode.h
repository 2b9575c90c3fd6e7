/* A PUBLISH packet for one client.  Thread: the session's worker. */
#ifndef SESSION_PUBLISH_ENCODE_H
#define SESSION_PUBLISH_ENCODE_H

#include "proto/frame.h"
#include "proto/packet_publish.h"
#include "session/client_link.h"
#include "session/delivery_context.h"
#include "session/inflight/inflight.h"

/* Inline, as each delivery needs it. [MQTT-3.3.1-3] */
static inline void publish_encode_fill(const struct session *s, const struct msg *msg,
                                       const struct delivery *d, uint8_t qos,
                                       struct publish_out *out)
{
	*out = (struct publish_out){.version = s->link->version,
	                            .retain = d->retain,
	                            .qos = qos,
	                            .topic = msg_topic(msg),
	                            .payload = msg_payload(msg)};
	if (out->version != MQTT_5_0)
		return;
	out->forwarded = msg_forwarded(msg);
	out->subscription_ids = subscription_ids_all(&d->ids);
	out->subscription_id_count = subscription_ids_count(&d->ids);
	if (msg->expires_ms != MSG_NEVER) {
		out->has_expiry = true; /* what is left of it [MQTT5-3.3.2-6] */
		out->expiry_s = msg_expiry_left_s(msg, s->worker->executor.now_ms);
	}
}

/* Within the client's Maximum Packet Size, and within what a packet can be at all. */
static inline size_t publish_encode_max(const struct session *s)
{
	uint32_t max = s->link->max_packet_bytes;

	return max < FRAME_SIZE_MAX ? max : FRAME_SIZE_MAX;
}

/* Is it within that? */
static inline bool publish_encode_fits(const struct session *s, const struct publish_out *p)
{
	if (s->link->max_packet_bytes == UINT32_MAX && p->payload.len < FRAME_SIZE_MAX / 2)
		return true;
	return packet_publish_size(p) <= publish_encode_max(s);
}

/* It leaves at the end of the turn. */
void publish_encode_write(struct session *s, const struct delivery_context *ctx,
                          struct publish_out *p);

#endif
