/* Of a message that goes to several, the bytes are made once and patched. */
#include "session/publish_encode.h"

#include "proto/frame.h"
#include "session/link_output.h"

/* [MQTT-3.3.1-3] */
void publish_encode_fill(const struct session *s, const struct msg *msg, const struct delivery *d,
                         uint8_t qos, struct publish_out *out)
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

static bool is_encoded(const struct fan_out *f, const struct publish_out *p)
{
	return f->is_encoded && f->version == p->version && f->qos == p->qos &&
	       f->retain == p->retain && f->expiry_s == p->expiry_s;
}

/* Of a message that goes to several, the bytes are made once and patched. */
static void write_shared(struct fan_out *f, struct client_link *link, const struct publish_out *p)
{
	struct buf *out = link_output_buf(link);
	size_t start = out->len;

	if (!is_encoded(f, p)) {
		buf_clear(&f->bytes);
		f->packet_id_at = packet_publish_encode(&f->bytes, p);
		f->is_encoded = true;
		f->version = p->version;
		f->qos = p->qos;
		f->retain = p->retain;
		f->expiry_s = p->expiry_s;
	}
	buf_put_slice(out, buf_slice(&f->bytes));
	if (p->qos > 0) {
		out->data[start + f->packet_id_at] = (uint8_t)(p->packet_id >> 8);
		out->data[start + f->packet_id_at + 1] = (uint8_t)p->packet_id;
	}
}

/* Within the client's Maximum Packet Size, and within what a packet can be at all. */
static size_t max_packet(const struct session *s)
{
	uint32_t max = s->link->max_packet_bytes;

	return max < FRAME_SIZE_MAX ? max : FRAME_SIZE_MAX;
}

bool publish_encode_fits(const struct session *s, const struct publish_out *p)
{
	if (s->link->max_packet_bytes == UINT32_MAX && p->payload.len < FRAME_SIZE_MAX / 2)
		return true;
	return packet_publish_size(p) <= max_packet(s);
}

void publish_encode_write(struct session *s, const struct delivery_context *ctx,
                          struct publish_out *p)
{
	struct worker *w = s->worker;
	struct client_link *link = s->link;

	count(&w->counters.messages_sent);
	count_by(&w->counters.payload_sent, msg_payload(ctx->msg).len);
	if (link->aliases_out.max > 0) {
		alias_use(&link->aliases_out, p, max_packet(s), link_output_admits_alias, link);
		packet_publish_encode(link_output_buf(link), p);
	} else if (ctx->fan_out != NULL && !p->dup && p->subscription_id_count == 0) {
		write_shared(ctx->fan_out, link, p);
	} else {
		packet_publish_encode(link_output_buf(link), p);
	}
	if (link->out.len >= link->output_counted + LINK_OUTPUT_FREE)
		link_output_count(link);
}
