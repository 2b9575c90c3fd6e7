/* Of a message that goes to several, the bytes are made once and patched. */
#include "session/publish_encode.h"

#include "session/link_output.h"

static bool is_encoded(const struct fan_out *f, const struct publish_out *p)
{
	return f->is_encoded && f->version == p->version && f->qos == p->qos &&
	       f->retain == p->retain && f->expiry_s == p->expiry_s;
}

static void count_bytes(const struct client_link *link, size_t bytes)
{
	count_by(&link->worker->counters.sent_bytes_by_type[PACKET_PUBLISH], bytes);
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
	count_bytes(link, f->bytes.len);
}

static void write_alone(struct client_link *link, const struct publish_out *p)
{
	struct buf *out = link_output_buf(link);
	size_t start = out->len;

	packet_publish_encode(out, p);
	count_bytes(link, out->len - start);
}

void publish_encode_write(struct session *s, const struct delivery_context *ctx,
                          struct publish_out *p)
{
	struct worker *w = s->worker;
	struct client_link *link = s->link;

	count(&w->counters.sent_by_qos[p->qos]);
	link->messages_out++;
	count_by(&w->counters.payload_sent, msg_payload(ctx->msg).len);
	if (link->aliases_out.max > 0) {
		topic_alias_use(&link->aliases_out, p, publish_encode_max(s),
		                link_output_admits_alias, link);
		write_alone(link, p);
	} else if (ctx->fan_out != NULL && !p->dup && p->subscription_id_count == 0) {
		write_shared(ctx->fan_out, link, p);
	} else {
		write_alone(link, p);
	}
	if (link->out.len >= link->output_counted + LINK_OUTPUT_FREE)
		link_output_count(link);
}
