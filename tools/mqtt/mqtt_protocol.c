/* The state machine of a client: its connections, bytes in both directions, time, and requests. */
#include "mqtt/mqtt_protocol.h"

#include <stdlib.h>

#include "base/require.h"
#include "mqtt/mqtt_packets.h"
#include "proto/packet_auth.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"

/* How long the server may take for PINGRESP where the keep alive is short. */
#define PING_ANSWER_MIN_MS 5000u
/* An input buffer that grew above this is given back when it is empty. */
#define IDLE_BYTES_MAX 16384u

void mqtt_protocol_init(struct mqtt_protocol *p, const struct mqtt_options *options,
                        const struct mqtt_events *events, void *arg)
{
	REQUIRE(events->on_message != NULL);
	*p = (struct mqtt_protocol){.options = options, .events = events, .arg = arg};
	mqtt_in_flight_init(&p->in_flight);
}

void mqtt_protocol_fini(struct mqtt_protocol *p)
{
	buf_fini_secret(&p->out); /* CONNECT has the password */
	buf_fini(&p->in);
	mqtt_aliases_clear(&p->aliases);
	mqtt_in_flight_fini(&p->in_flight);
	free(p->received);
	*p = (struct mqtt_protocol){0};
}

/* ---- a connection begins ---- */

static void put_connect_properties(struct buf *out, const struct mqtt_options *o)
{
	if (o->session_expiry_s > 0)
		property_put_number(out, PROPERTY_SESSION_EXPIRY, o->session_expiry_s);
	if (o->receive_maximum > 0)
		property_put_number(out, PROPERTY_RECEIVE_MAXIMUM, o->receive_maximum);
	if (o->max_packet_bytes > 0)
		property_put_number(out, PROPERTY_MAXIMUM_PACKET_SIZE, o->max_packet_bytes);
	if (o->topic_alias_maximum > 0)
		property_put_number(out, PROPERTY_TOPIC_ALIAS_MAXIMUM, o->topic_alias_maximum);
	buf_put_slice(out, o->properties);
}

static bool session_outlives(const struct mqtt_options *o)
{
	return o->version == MQTT_5_0 ? o->session_expiry_s > 0 : !o->clean_start;
}

void mqtt_protocol_open(struct mqtt_protocol *p, struct slice client_id, uint64_t now_ms)
{
	const struct mqtt_options *o = p->options;
	struct connect c = {
	    .version = o->version,
	    .clean_start = o->clean_start && !(p->had_session && session_outlives(o)),
	    .has_user_name = o->has_user_name,
	    .has_password = o->has_password,
	    .keep_alive_s = o->keep_alive_s,
	    .client_id = client_id,
	    .user_name = o->user_name,
	    .password = o->password,
	    .will = o->will,
	};
	struct buf block = {0}, packet = {0};

	REQUIRE(p->state == MQTT_CLOSED);
	/* Room for all of it at once: no copy of the password is left behind. */
	put_connect_properties(&block, o);
	c.properties.raw = buf_slice(&block);
	buf_reserve(&packet, 64 + block.len + client_id.len + o->user_name.len + o->password.len +
	                         o->will.topic.len + o->will.payload.len +
	                         o->will.properties.raw.len);
	packet_connect_encode(&packet, &c);
	buf_fini_secret(&p->out);
	p->out = packet;
	buf_fini(&block);
	p->state = MQTT_CONNECTING;
	p->keep_alive_s = o->keep_alive_s;
	p->ping_waits = false;
	p->sent_ms = p->heard_ms = now_ms;
}

void mqtt_protocol_close(struct mqtt_protocol *p)
{
	buf_fini_secret(&p->out);
	buf_fini(&p->in);
	p->in_needed = 0;
	p->state = MQTT_CLOSED;
	/* [MQTT5-3.3.2-7] mutant: client_forgets_aliases */
	mqtt_aliases_clear(&p->aliases);
	/* What was put and never sent is as old as the last that was heard. */
	if (p->in_flight.untimed > 0)
		mqtt_in_flight_note_sent(&p->in_flight, p->heard_ms);
	mqtt_in_flight_close(&p->in_flight, p->options->resends);
}

/* ---- bytes of the server ---- */

/* Take the packets that are whole off *bytes, and say how long the next one is. */
static struct fault take_frames(struct mqtt_protocol *p, struct slice *bytes, size_t *needed)
{
	size_t max = p->options->max_packet_bytes;
	struct frame f;

	*needed = 0;
	while (bytes->len > 0 && (p->state == MQTT_OPEN || p->state == MQTT_CONNECTING)) {
		enum frame_result result =
		    frame_next(bytes, max == 0 ? FRAME_SIZE_MAX : max, &f, needed);
		struct fault fault;

		if (result == FRAME_INCOMPLETE)
			return FAULT_NONE;
		if (result == FRAME_MALFORMED)
			return fault_of(REASON_MALFORMED, "the Remaining Length has five bytes");
		if (result == FRAME_TOO_LARGE)
			return fault_of(REASON_PACKET_TOO_LARGE,
			                "the packet is larger than the client permits");
		if (!fault_is_none(fault = mqtt_packets_take(p, &f)))
			return fault;
	}
	return FAULT_NONE;
}

/* What came before is the beginning of a packet: complete that one first, with as few bytes as it
 * takes. */
static struct fault take_kept(struct mqtt_protocol *p, struct slice *bytes)
{
	while (p->in.len > 0 && bytes->len > 0) {
		/* Until the length is known, byte by byte: there are at most five. */
		size_t want = p->in_needed > p->in.len ? p->in_needed - p->in.len : 1;
		size_t n = want < bytes->len ? want : bytes->len;
		struct slice whole;
		struct fault fault;

		REQUIRE(n > 0);
		buf_put(&p->in, bytes->data, n);
		*bytes = slice_skip(*bytes, n);
		if (p->in.len < p->in_needed)
			return FAULT_NONE;
		whole = buf_slice(&p->in);
		fault = take_frames(p, &whole, &p->in_needed);
		if (whole.len < p->in.len)
			buf_clear(&p->in);
		if (!fault_is_none(fault))
			return fault;
	}
	return FAULT_NONE;
}

static struct fault take_bytes(struct mqtt_protocol *p, struct slice bytes)
{
	struct fault fault = take_kept(p, &bytes);

	if (!fault_is_none(fault) || p->in.len > 0)
		return fault;
	if (p->in.cap > IDLE_BYTES_MAX)
		buf_fini(&p->in);
	if (!fault_is_none(fault = take_frames(p, &bytes, &p->in_needed)))
		return fault;
	if (p->state == MQTT_OPEN || p->state == MQTT_CONNECTING)
		buf_put_slice(&p->in, bytes);
	return FAULT_NONE;
}

struct fault mqtt_protocol_input(struct mqtt_protocol *p, struct slice bytes, uint64_t now_ms)
{
	struct fault fault;

	REQUIRE(p->options != NULL);
	if (p->state != MQTT_OPEN && p->state != MQTT_CONNECTING)
		return FAULT_NONE;
	p->heard_ms = now_ms;
	fault = take_bytes(p, bytes);
	if (p->in_flight.held > 0 && p->state == MQTT_OPEN)
		mqtt_packets_resend(p);
	if (!fault_is_none(fault) && p->state == MQTT_OPEN)
		mqtt_protocol_disconnect(p, fault.reason);
	if (!fault_is_none(fault))
		p->state = MQTT_ENDED;
	return fault;
}

void mqtt_protocol_disconnect(struct mqtt_protocol *p, enum reason reason)
{
	if (p->state == MQTT_OPEN)
		packet_disconnect_encode_of_client(&p->out, p->options->version, reason);
	p->state = MQTT_ENDED;
}

/* ---- time ---- */

static uint64_t answer_time_ms(const struct mqtt_protocol *p)
{
	uint64_t half = (uint64_t)p->keep_alive_s * 500;

	return half < PING_ANSWER_MIN_MS ? PING_ANSWER_MIN_MS : half;
}

uint64_t mqtt_protocol_due_ms(const struct mqtt_protocol *p)
{
	if (p->state != MQTT_OPEN || p->keep_alive_s == 0)
		return UINT64_MAX;
	if (p->ping_waits)
		return p->ping_ms + answer_time_ms(p);
	return p->sent_ms + (uint64_t)p->keep_alive_s * 1000;
}

/* [MQTT3-3.1.2-23] [MQTT5-3.1.2-20] */
struct fault mqtt_protocol_tick(struct mqtt_protocol *p, uint64_t now_ms)
{
	if (now_ms < mqtt_protocol_due_ms(p))
		return FAULT_NONE;
	if (p->ping_waits && p->heard_ms <= p->ping_ms)
		return fault_of(REASON_KEEP_ALIVE_TIMEOUT, "the server does not answer PINGREQ");
	packet_ping_encode_request(&p->out);
	p->ping_waits = true;
	p->ping_ms = now_ms;
	return FAULT_NONE;
}

/* ---- requests ---- */

bool mqtt_protocol_has_window(const struct mqtt_protocol *p)
{
	const struct mqtt_in_flight *t = &p->in_flight;

	return t->held == 0 && t->publishing < mqtt_packets_window(p) &&
	       mqtt_in_flight_next_id(t) != 0;
}

static enum mqtt_result check_publish(const struct mqtt_protocol *p, const struct publish_out *m)
{
	if (p->state != MQTT_OPEN)
		return MQTT_NOT_OPEN;
	if (m->qos > p->server_max_qos)
		return MQTT_QOS_TOO_HIGH;
	if (m->retain && !p->server_retains)
		return MQTT_NO_RETAINING;
	if (m->topic_alias > p->server_alias_maximum)
		return MQTT_ALIAS_TOO_HIGH;
	if (packet_publish_size(m) > p->server_packet_max)
		return MQTT_TOO_LARGE;
	return m->qos > 0 && !mqtt_protocol_has_window(p) ? MQTT_WINDOW_FULL : MQTT_DONE;
}

enum mqtt_result mqtt_protocol_publish(struct mqtt_protocol *p, struct publish_out *message,
                                       uint64_t cookie)
{
	size_t start = p->out.len;
	enum mqtt_result result;

	message->version = p->options->version;
	message->dup = false;
	message->packet_id = 0;
	result = check_publish(p, message);
	if (result != MQTT_DONE)
		return result;
	if (message->qos == 0) {
		packet_publish_encode(&p->out, message);
		return MQTT_DONE;
	}
	REQUIRE(!p->options->resends || message->topic.len > 0);
	message->packet_id = mqtt_in_flight_next_id(&p->in_flight);
	mqtt_in_flight_add(&p->in_flight, message->qos == 1 ? MQTT_STEP_PUBACK : MQTT_STEP_PUBREC,
	                   cookie);
	packet_publish_encode(&p->out, message);
	if (p->options->resends)
		mqtt_in_flight_store(&p->in_flight,
		                     slice_of(p->out.data + start, p->out.len - start));
	return MQTT_DONE;
}

/* May a SUBSCRIBE or UNSUBSCRIBE be put? */
static enum mqtt_result check_request(const struct mqtt_protocol *p)
{
	if (p->state != MQTT_OPEN)
		return MQTT_NOT_OPEN;
	return mqtt_in_flight_next_id(&p->in_flight) == 0 ? MQTT_WINDOW_FULL : MQTT_DONE;
}

/* It was put from `start` on: it must not be too large. */
static enum mqtt_result add_request(struct mqtt_protocol *p, size_t start, enum mqtt_step step,
                                    uint64_t cookie)
{
	if (p->out.len - start > p->server_packet_max) {
		p->out.len = start;
		return MQTT_TOO_LARGE;
	}
	mqtt_in_flight_add(&p->in_flight, step, cookie);
	return MQTT_DONE;
}

enum mqtt_result mqtt_protocol_subscribe(struct mqtt_protocol *p,
                                         const struct subscribe_entry *entries, size_t count,
                                         struct slice properties, uint64_t cookie)
{
	enum mqtt_result result = check_request(p);
	size_t start = p->out.len;

	REQUIRE(count > 0);
	if (result != MQTT_DONE)
		return result;
	packet_subscribe_encode(&p->out, p->options->version, p->in_flight.next_id, properties,
	                        entries, count);
	return add_request(p, start, MQTT_STEP_SUBACK, cookie);
}

enum mqtt_result mqtt_protocol_unsubscribe(struct mqtt_protocol *p, const struct slice *filters,
                                           size_t count, struct slice properties, uint64_t cookie)
{
	enum mqtt_result result = check_request(p);
	size_t start = p->out.len;

	REQUIRE(count > 0);
	if (result != MQTT_DONE)
		return result;
	packet_unsubscribe_encode(&p->out, p->options->version, p->in_flight.next_id, properties,
	                          filters, count);
	return add_request(p, start, MQTT_STEP_UNSUBACK, cookie);
}

void mqtt_protocol_acknowledge(struct mqtt_protocol *p, uint8_t qos, uint16_t packet_id,
                               enum reason reason)
{
	REQUIRE(qos <= 2 && (qos == 0 || packet_id != 0));
	mqtt_packets_acknowledge(p, qos, packet_id, reason);
}

void mqtt_protocol_auth(struct mqtt_protocol *p, enum reason reason, struct slice method,
                        struct slice data)
{
	if (p->state == MQTT_CONNECTING || p->state == MQTT_OPEN)
		packet_auth_encode(&p->out, reason, method, data);
}
