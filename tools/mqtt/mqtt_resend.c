/* A packet is sent again as it was, but for DUP, and for the time that it still has to live.  What
 * the server of this connection does not take is not sent: it would end the connection, and the
 * next one as well.  Nor is it changed to what the server takes: another QoS is another promise. */
#include "mqtt/mqtt_resend.h"

#include "base/require.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"

#define FIRST_BYTE_DUP    0x08
#define FIRST_BYTE_RETAIN 0x01
#define FIRST_BYTE_QOS    1 /* the lower of its bits */

/* False: it has expired. A packet without Message Expiry Interval has none in 3.1.1 either. */
static bool has_time_left(const struct mqtt_resend *how, const struct mqtt_request *r,
                          const struct publish *m, uint32_t *left_s)
{
	uint64_t waited_s = how->now_ms > r->sent_ms ? (how->now_ms - r->sent_ms) / 1000 : 0;

	if (r->sent_ms == 0)
		waited_s = 0;
	*left_s = m->properties.message_expiry_s;
	if (waited_s < *left_s) {
		*left_s -= (uint32_t)waited_s;
		return true;
	}
	*left_s = 0;
	return false;
}

/* With its Message Expiry Interval reduced by the time that it has waited. */
static void put_with_expiry(const struct mqtt_resend *how, const struct publish *m,
                            uint32_t expiry_s, struct buf *out)
{
	struct buf forwarded = {0};
	struct publish_out again = {
	    .version = how->version,
	    .dup = how->resumes,
	    .retain = m->retain,
	    .qos = m->qos,
	    .has_expiry = true,
	    .packet_id = m->packet_id,
	    .expiry_s = expiry_s,
	    .topic = m->topic,
	    .payload = m->payload,
	};

	properties_put_forwarded(&forwarded, m->properties.raw);
	again.forwarded = buf_slice(&forwarded);
	packet_publish_encode(out, &again);
	buf_fini(&forwarded);
}

/* Does it say when it expires? */
static bool read_expiry(const struct mqtt_resend *how, struct slice packet, struct publish *m)
{
	struct frame f;
	size_t needed;

	return how->version == MQTT_5_0 &&
	       frame_next(&packet, FRAME_SIZE_MAX, &f, &needed) == FRAME_COMPLETE &&
	       fault_is_none(packet_publish_decode(&f, how->version, m)) &&
	       properties_have(&m->properties, PROPERTY_MESSAGE_EXPIRY);
}

static uint8_t qos_of(struct slice packet)
{
	return packet.data[0] >> FIRST_BYTE_QOS & 3;
}

/* Does the server take it? NULL, or why not. */
static const char *find_refusal(const struct mqtt_resend *how, struct slice packet,
                                enum reason *reason)
{
	/* [MQTT5-3.2.2-11] mutant: client_resends_what_is_taken */
	if (qos_of(packet) > how->max_qos) {
		*reason = REASON_QOS_NOT_SUPPORTED;
		return "since the connection was made anew the server takes no messages of this "
		       "QoS; whether this one had arrived before is not known";
	}
	if ((packet.data[0] & FIRST_BYTE_RETAIN) != 0 && !how->retains) { /* [MQTT5-3.2.2-14] */
		*reason = REASON_RETAIN_NOT_SUPPORTED;
		return "since the connection was made anew the server keeps no retained messages; "
		       "whether this one had arrived before is not known";
	}
	if (packet.len > how->max_packet_bytes) { /* [MQTT5-3.2.2-15] */
		*reason = REASON_PACKET_TOO_LARGE;
		return "since the connection was made anew the server takes no packets of this "
		       "size (its Maximum Packet Size); whether this one had arrived before is not "
		       "known";
	}
	return NULL;
}

static void give_up(struct mqtt_in_flight *t, struct mqtt_request *r, const struct mqtt_resend *how,
                    enum reason reason, const char *why)
{
	mqtt_in_flight_mark_done(t, r);
	how->on_given_up(how->arg, r, reason, why);
}

static void put_publish(struct mqtt_in_flight *t, struct mqtt_request *r, struct slice packet,
                        struct buf *out, const struct mqtt_resend *how)
{
	size_t start = out->len;
	const char *refusal;
	enum reason reason;
	struct publish m;
	uint32_t left_s;

	REQUIRE(packet.len > 0);
	if ((refusal = find_refusal(how, packet, &reason)) != NULL) {
		/* Where it had arrived, the server forgets its identifier, which is used again. */
		if (qos_of(packet) == 2 && how->resumes)
			packet_ack_encode(out, how->version, PACKET_PUBREL, r->packet_id,
			                  REASON_SUCCESS, SLICE_EMPTY);
		give_up(t, r, how, reason, refusal);
		return;
	}
	if (!read_expiry(how, packet, &m)) {
		buf_put_slice(out, packet);
		/* mutant: client_resends_with_dup */
		if (how->resumes)
			out->data[start] |= FIRST_BYTE_DUP;
		return;
	}
	/* [MQTT-4.4.0-1]: of a session that goes on, all. The server ends it. */
	if (has_time_left(how, r, &m, &left_s) || how->resumes) {
		put_with_expiry(how, &m, left_s, out);
		return;
	}
	give_up(t, r, how, REASON_UNSPECIFIED,
	        "its Message Expiry Interval was over before it could be sent again");
}

/* [MQTT-4.4.0-1] [MQTT-4.6.0-1]: in order. [MQTT5-3.3.4-7]: no more than the server permits. */
void mqtt_resend_put(struct mqtt_in_flight *t, struct buf *out, const struct mqtt_resend *how)
{
	size_t from = t->stored_start;

	REQUIRE(how->window > 0 && how->on_given_up != NULL);
	for (uint32_t i = 0; i < t->count && t->held > 0; i++) {
		struct mqtt_request *r = mqtt_in_flight_at(t, i);
		struct slice packet = slice_of(t->stored.data + from, r->size);

		REQUIRE(from + r->size <= t->stored.len);
		from += r->size;
		if (!r->held)
			continue;
		if (r->step == MQTT_STEP_PUBCOMP) {
			mqtt_in_flight_release(t, r);
			packet_ack_encode(out, how->version, PACKET_PUBREL, r->packet_id,
			                  REASON_SUCCESS, SLICE_EMPTY);
			continue;
		}
		/* mutant: client_resends_within_the_window */
		if (t->publishing - t->held >= how->window)
			continue;
		mqtt_in_flight_release(t, r);
		put_publish(t, r, packet, out, how);
	}
	mqtt_in_flight_trim(t);
}
