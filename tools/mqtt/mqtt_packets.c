/* A handler for each packet that a server may send. */
#include "mqtt/mqtt_packets.h"

#include "base/alloc.h"
#include "base/require.h"
#include "mqtt/mqtt_resend.h"
#include "proto/packet_ack.h"
#include "proto/packet_auth.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "proto/packet_suback.h"

/* ---- CONNACK ---- */

static void call_answer(struct mqtt_protocol *p, const struct mqtt_request *r,
                        const struct mqtt_answer *a)
{
	struct mqtt_answer full = *a;

	full.cookie = r->cookie;
	full.packet_id = r->packet_id;
	if (p->events->on_answer != NULL)
		p->events->on_answer(p->arg, &full);
}

/* The session is a new one. What the server has received it has; of the rest it knows nothing, and
 * it is sent for the first time. */
static void forget_session(struct mqtt_protocol *p)
{
	static const struct properties none;
	struct mqtt_in_flight *t = &p->in_flight;

	p->received_count = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		struct mqtt_request *r = mqtt_in_flight_at(t, i);

		if (r->step != MQTT_STEP_PUBCOMP)
			continue;
		mqtt_in_flight_mark_done(t, r);
		call_answer(p, r,
		            &(struct mqtt_answer){.request = PACKET_PUBLISH, .properties = &none});
	}
	mqtt_in_flight_trim(t);
}

uint32_t mqtt_packets_window(const struct mqtt_protocol *p)
{
	uint32_t max = p->server_receive_maximum;

	return p->options->send_maximum > 0 && p->options->send_maximum < max
	           ? p->options->send_maximum
	           : max;
}

static void on_given_up(void *arg, const struct mqtt_request *r, enum reason reason,
                        const char *words)
{
	const struct properties why = {.reason_string = slice_of_str(words)};

	call_answer(
	    arg, r,
	    &(struct mqtt_answer){.request = PACKET_PUBLISH, .reason = reason, .properties = &why});
}

void mqtt_packets_resend(struct mqtt_protocol *p)
{
	mqtt_resend_put(&p->in_flight, &p->out,
	                &(struct mqtt_resend){.version = p->options->version,
	                                      .resumes = p->resumes,
	                                      .retains = p->server_retains,
	                                      .max_qos = p->server_max_qos,
	                                      .max_packet_bytes = p->server_packet_max,
	                                      .window = mqtt_packets_window(p),
	                                      .now_ms = p->heard_ms,
	                                      .on_given_up = on_given_up,
	                                      .arg = p});
}

static void take_limits(struct mqtt_protocol *p, const struct connack *c)
{
	p->server_packet_max = c->max_packet_bytes == 0 ? FRAME_SIZE_MAX : c->max_packet_bytes;
	p->server_receive_maximum = c->receive_maximum;
	p->server_alias_maximum = c->topic_alias_maximum;
	p->server_max_qos = c->max_qos;
	p->server_retains = !c->retain_unavailable;
	if (c->has_server_keep_alive) /* [MQTT5-3.2.2-21] */
		p->keep_alive_s = c->server_keep_alive_s;
}

static struct fault on_connack(struct mqtt_protocol *p, const struct frame *f)
{
	struct connack c;
	struct properties properties;
	struct fault fault = packet_connack_decode(f, p->options->version, &c, &properties);

	if (!fault_is_none(fault))
		return fault;
	if (c.reason != REASON_SUCCESS) {
		p->state = MQTT_ENDED;
		if (p->events->on_connack != NULL)
			p->events->on_connack(p->arg, &c, &properties);
		return fault_of(c.reason, "the server refused the connection");
	}
	take_limits(p, &c);
	p->had_session = true;
	if (!c.session_present)
		forget_session(p);
	p->resumes = c.session_present;
	mqtt_packets_resend(p);
	p->state = MQTT_OPEN; /* whoever was called before could not put anything in between */
	if (p->events->on_connack != NULL)
		p->events->on_connack(p->arg, &c, &properties);
	return FAULT_NONE;
}

/* ---- messages to us ---- */

/* False: it is a duplicate. */
static bool note_received(struct mqtt_protocol *p, uint16_t packet_id)
{
	for (uint32_t i = 0; i < p->received_count; i++) {
		if (p->received[i] == packet_id)
			return false;
	}
	if (p->received_count == p->received_size) {
		p->received_size = p->received_size == 0 ? 8 : p->received_size * 2;
		p->received = xrealloc_array(p->received, p->received_size, sizeof(*p->received));
	}
	p->received[p->received_count++] = packet_id;
	return true;
}

/* They are released in the order in which they came: it is the first. */
static bool release_received(struct mqtt_protocol *p, uint16_t packet_id)
{
	for (uint32_t i = 0; i < p->received_count; i++) {
		if (p->received[i] != packet_id)
			continue;
		p->received_count--;
		memmove(p->received + i, p->received + i + 1,
		        (p->received_count - i) * sizeof(*p->received));
		return true;
	}
	return false;
}

void mqtt_packets_acknowledge(struct mqtt_protocol *p, uint8_t qos, uint16_t packet_id,
                              enum reason reason)
{
	if (qos == 0 || p->state != MQTT_OPEN)
		return;
	if (qos == 2 && reason >= REASON_UNSPECIFIED)
		(void)release_received(p, packet_id); /* [MQTT5-4.3.3-9] */
	packet_ack_encode(&p->out, p->options->version, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
	                  packet_id, reason, SLICE_EMPTY);
}

static struct fault on_publish(struct mqtt_protocol *p, const struct frame *f)
{
	struct publish message;
	struct fault fault = packet_publish_decode_of_server(f, p->options->version, &message);

	if (!fault_is_none(fault))
		return fault;
	fault = mqtt_aliases_resolve(&p->aliases, &message, p->options->topic_alias_maximum);
	if (!fault_is_none(fault))
		return fault;
	/* mutant: client_takes_qos_2_once */
	if (message.qos == 2 && !note_received(p, message.packet_id)) {
		mqtt_packets_acknowledge(p, 2, message.packet_id, REASON_SUCCESS);
		return FAULT_NONE;
	}
	if (p->events->on_message(p->arg, &message))
		mqtt_packets_acknowledge(p, message.qos, message.packet_id, REASON_SUCCESS);
	return FAULT_NONE;
}

static struct fault on_pubrel(struct mqtt_protocol *p, const struct frame *f)
{
	enum mqtt_version version = p->options->version;
	struct ack ack;
	struct fault fault = packet_ack_decode(f, version, &ack);
	bool known;

	if (!fault_is_none(fault))
		return fault;
	known = release_received(p, ack.packet_id);
	packet_ack_encode(&p->out, version, PACKET_PUBCOMP, ack.packet_id,
	                  known ? REASON_SUCCESS : REASON_PACKET_ID_NOT_FOUND, SLICE_EMPTY);
	return FAULT_NONE;
}

/* ---- acknowledgements of what we sent ---- */

static void end_publish(struct mqtt_protocol *p, struct mqtt_request *r, const struct ack *ack)
{
	struct mqtt_request done = *r;

	mqtt_in_flight_end(&p->in_flight, r);
	call_answer(p, &done,
	            &(struct mqtt_answer){.request = PACKET_PUBLISH,
	                                  .reason = ack->reason,
	                                  .properties = &ack->properties});
}

static struct fault on_puback(struct mqtt_protocol *p, const struct frame *f)
{
	struct ack ack;
	struct fault fault = packet_ack_decode(f, p->options->version, &ack);
	struct mqtt_request *r;

	if (!fault_is_none(fault))
		return fault;
	r = mqtt_in_flight_find(&p->in_flight, ack.packet_id);
	if (r != NULL && r->step == MQTT_STEP_PUBACK)
		end_publish(p, r, &ack);
	return FAULT_NONE;
}

/* [MQTT5-4.3.3-4, -5] */
static struct fault on_pubrec(struct mqtt_protocol *p, const struct frame *f)
{
	enum mqtt_version version = p->options->version;
	struct ack ack;
	struct fault fault = packet_ack_decode(f, version, &ack);
	struct mqtt_request *r;
	bool known;

	if (!fault_is_none(fault))
		return fault;
	r = mqtt_in_flight_find(&p->in_flight, ack.packet_id);
	known = r != NULL && (r->step == MQTT_STEP_PUBREC || r->step == MQTT_STEP_PUBCOMP);
	if (ack.reason >= REASON_UNSPECIFIED) {
		if (known)
			end_publish(p, r, &ack);
		return FAULT_NONE;
	}
	if (known)
		r->step = MQTT_STEP_PUBCOMP;
	packet_ack_encode(&p->out, version, PACKET_PUBREL, ack.packet_id,
	                  known ? REASON_SUCCESS : REASON_PACKET_ID_NOT_FOUND, SLICE_EMPTY);
	return FAULT_NONE;
}

static struct fault on_pubcomp(struct mqtt_protocol *p, const struct frame *f)
{
	struct ack ack;
	struct fault fault = packet_ack_decode(f, p->options->version, &ack);
	struct mqtt_request *r;

	if (!fault_is_none(fault))
		return fault;
	r = mqtt_in_flight_find(&p->in_flight, ack.packet_id);
	if (r == NULL || r->step != MQTT_STEP_PUBCOMP)
		return FAULT_NONE;
	/* It was received: an identifier that the server does not know any more is no failure. */
	if (ack.reason == REASON_PACKET_ID_NOT_FOUND)
		ack.reason = REASON_SUCCESS;
	end_publish(p, r, &ack);
	return FAULT_NONE;
}

static enum reason worst_of(struct slice reasons)
{
	uint8_t worst = 0;

	for (size_t i = 0; i < reasons.len; i++)
		worst = reasons.data[i] > worst ? reasons.data[i] : worst;
	return (enum reason)worst;
}

static struct fault on_suback(struct mqtt_protocol *p, const struct frame *f)
{
	bool subscribed = f->type == PACKET_SUBACK;
	struct suback ack;
	struct fault fault = packet_suback_decode(f, p->options->version, &ack);
	struct mqtt_request *r, done;

	if (!fault_is_none(fault))
		return fault;
	r = mqtt_in_flight_find(&p->in_flight, ack.packet_id);
	if (r == NULL || r->step != (subscribed ? MQTT_STEP_SUBACK : MQTT_STEP_UNSUBACK))
		return FAULT_NONE;
	done = *r;
	mqtt_in_flight_end(&p->in_flight, r);
	call_answer(
	    p, &done,
	    &(struct mqtt_answer){.request = subscribed ? PACKET_SUBSCRIBE : PACKET_UNSUBSCRIBE,
	                          .reason = worst_of(ack.reasons),
	                          .reasons = ack.reasons,
	                          .properties = &ack.properties});
	return FAULT_NONE;
}

/* ---- the rest ---- */

static struct fault on_pingresp(struct mqtt_protocol *p, const struct frame *f)
{
	p->ping_waits = false;
	return packet_ping_decode(f);
}

static struct fault on_disconnect(struct mqtt_protocol *p, const struct frame *f)
{
	struct disconnect d;
	struct fault fault;

	if (p->options->version != MQTT_5_0)
		return fault_of(REASON_PROTOCOL_ERROR, "DISCONNECT is not for servers of 3.1.1");
	fault = packet_disconnect_decode_of_server(f, &d);
	if (!fault_is_none(fault))
		return fault;
	p->state = MQTT_ENDED;
	if (p->events->on_disconnect != NULL)
		p->events->on_disconnect(p->arg, d.reason, &d.properties);
	return FAULT_NONE;
}

static struct fault on_auth(struct mqtt_protocol *p, const struct frame *f)
{
	struct auth auth;
	struct fault fault;

	if (p->options->version != MQTT_5_0 || p->events->on_auth == NULL)
		return fault_of(REASON_PROTOCOL_ERROR, "AUTH was not asked for");
	fault = packet_auth_decode(f, &auth);
	if (fault_is_none(fault))
		p->events->on_auth(p->arg, auth.reason, &auth.properties);
	return fault;
}

typedef struct fault frame_fn(struct mqtt_protocol *p, const struct frame *f);

static const struct packet_row {
	frame_fn *take;
	bool before_connack;
} rows[16] = {
    [PACKET_CONNACK] = {on_connack, true},    [PACKET_PUBLISH] = {on_publish, false},
    [PACKET_PUBACK] = {on_puback, false},     [PACKET_PUBREC] = {on_pubrec, false},
    [PACKET_PUBREL] = {on_pubrel, false},     [PACKET_PUBCOMP] = {on_pubcomp, false},
    [PACKET_SUBACK] = {on_suback, false},     [PACKET_UNSUBACK] = {on_suback, false},
    [PACKET_PINGRESP] = {on_pingresp, false}, [PACKET_DISCONNECT] = {on_disconnect, false},
    [PACKET_AUTH] = {on_auth, true},
};

struct fault mqtt_packets_take(struct mqtt_protocol *p, const struct frame *f)
{
	const struct packet_row *row = &rows[f->type & 0xf];
	bool connecting = p->state == MQTT_CONNECTING;

	REQUIRE(connecting || p->state == MQTT_OPEN);
	if (row->take == NULL)
		return fault_of(REASON_PROTOCOL_ERROR, "the server sent a packet of a client");
	if (connecting && !row->before_connack) /* [MQTT3-3.2.0-1] [MQTT5-3.2.0-1] */
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the server's first packet is not CONNACK: is this the port of an "
		                "MQTT listener, and not of HTTPS or WebSocket?");
	if (!connecting && f->type == PACKET_CONNACK)
		return fault_of(REASON_PROTOCOL_ERROR, "there is a second CONNACK");
	return row->take(p, f);
}
