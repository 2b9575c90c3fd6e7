/* The state machine of a client.  In-flight requests are a ring in order of their packet
 * identifiers, which are given out one after the other: an acknowledgement finds its entry by
 * subtraction.  Those that are done in the middle wait in it until they are the first. */
#include "mqtt/mqtt_protocol.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "proto/packet_ack.h"
#include "proto/packet_auth.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "proto/packet_suback.h"
#include "proto/topic.h"

#define RING_FIRST 16u
/* How long the server may take for PINGRESP where the keep alive is short. */
#define PING_ANSWER_MIN_MS 5000u
/* An output buffer that grew above this is given back when it is empty. */
#define IDLE_BYTES_MAX 16384u

enum step {
	STEP_DONE,
	STEP_PUBACK,  /* QoS 1: not acknowledged */
	STEP_PUBREC,  /* QoS 2: not received */
	STEP_PUBCOMP, /* QoS 2: received, not released */
	STEP_SUBACK,
	STEP_UNSUBACK,
};

struct mqtt_in_flight {
	uint64_t cookie;
	size_t size; /* of its packet in `stored` */
	uint16_t packet_id;
	uint8_t step;
};

void mqtt_protocol_init(struct mqtt_protocol *p, const struct mqtt_options *options,
                        const struct mqtt_events *events, void *arg)
{
	REQUIRE(events->on_message != NULL);
	*p = (struct mqtt_protocol){.options = options, .events = events, .arg = arg, .next_id = 1};
}

void mqtt_protocol_fini(struct mqtt_protocol *p)
{
	buf_fini_secret(&p->out); /* CONNECT has the password */
	buf_fini(&p->in);
	buf_fini(&p->stored);
	free(p->ring);
	free(p->received);
	*p = (struct mqtt_protocol){0};
}

/* ---- the ring ---- */

static struct mqtt_in_flight *entry_at(const struct mqtt_protocol *p, uint32_t i)
{
	REQUIRE(p->ring_size > 0);
	return &p->ring[(p->ring_start + i) & (p->ring_size - 1)];
}

static void grow_ring(struct mqtt_protocol *p)
{
	uint32_t size = p->ring_size == 0 ? RING_FIRST : p->ring_size * 2;
	struct mqtt_in_flight *ring = xcalloc(size, sizeof(*ring));

	for (uint32_t i = 0; i < p->ring_count; i++)
		ring[i] = *entry_at(p, i);
	free(p->ring);
	p->ring = ring;
	p->ring_size = size;
	p->ring_start = 0;
}

/* Identifiers rise by one from entry to entry, and 0 is left out: an entry stands at its distance
 * from the first, or one before. */
static struct mqtt_in_flight *find_entry(const struct mqtt_protocol *p, uint16_t packet_id)
{
	uint32_t distance;

	if (p->ring_count == 0)
		return NULL;
	distance = (uint16_t)(packet_id - entry_at(p, 0)->packet_id);
	for (uint32_t i = distance, tries = 0; tries < 2; i--, tries++) {
		struct mqtt_in_flight *e = i < p->ring_count ? entry_at(p, i) : NULL;

		if (e != NULL && e->packet_id == packet_id)
			return e->step == STEP_DONE ? NULL : e;
	}
	return NULL;
}

/* The identifier after the last one; 0: it has gone round and met the first. */
static uint16_t next_packet_id(const struct mqtt_protocol *p)
{
	uint16_t id = p->next_id;

	REQUIRE(id != 0);
	return p->ring_count > 0 && entry_at(p, 0)->packet_id == id ? 0 : id;
}

static struct mqtt_in_flight *add_entry(struct mqtt_protocol *p, enum step step, uint64_t cookie)
{
	struct mqtt_in_flight *e;

	REQUIRE(p->ring_count < UINT16_MAX && step != STEP_DONE);
	if (p->ring_count == p->ring_size)
		grow_ring(p);
	e = entry_at(p, p->ring_count++);
	*e = (struct mqtt_in_flight){
	    .cookie = cookie, .packet_id = p->next_id, .step = (uint8_t)step};
	p->next_id = p->next_id == UINT16_MAX ? 1 : (uint16_t)(p->next_id + 1);
	return e;
}

static bool is_publish(const struct mqtt_in_flight *e)
{
	return e->step >= STEP_PUBACK && e->step <= STEP_PUBCOMP;
}

/* Take it out; those before it may be done already. */
static void end_entry(struct mqtt_protocol *p, struct mqtt_in_flight *e)
{
	if (is_publish(e)) {
		REQUIRE(p->publishing > 0);
		p->publishing--;
	}
	e->step = STEP_DONE;
	while (p->ring_count > 0 && entry_at(p, 0)->step == STEP_DONE) {
		p->stored_start += entry_at(p, 0)->size;
		p->ring_start = (p->ring_start + 1) & (p->ring_size - 1);
		p->ring_count--;
	}
	REQUIRE(p->stored_start <= p->stored.len);
	if (p->stored_start == p->stored.len) {
		p->stored_start = 0;
		buf_clear(&p->stored);
		if (p->stored.cap > IDLE_BYTES_MAX)
			buf_fini(&p->stored);
	} else if (p->stored_start > p->stored.len / 2) {
		buf_consume(&p->stored, p->stored_start);
		p->stored_start = 0;
	}
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
	for (uint32_t i = 0; i < p->ring_count; i++) {
		struct mqtt_in_flight *e = entry_at(p, i);

		if (p->options->resends && is_publish(e))
			continue;
		if (is_publish(e))
			p->publishing--;
		e->step = STEP_DONE;
	}
	if (p->ring_count > 0 && entry_at(p, 0)->step == STEP_DONE)
		end_entry(p, entry_at(p, 0));
}

static void call_answer(struct mqtt_protocol *p, const struct mqtt_in_flight *e,
                        const struct mqtt_answer *a)
{
	struct mqtt_answer full = *a;

	full.cookie = e->cookie;
	full.packet_id = e->packet_id;
	if (p->events->on_answer != NULL)
		p->events->on_answer(p->arg, &full);
}

/* The session is a new one. What the server has received it has; of the rest it knows nothing, and
 * it is sent for the first time. */
static void forget_session(struct mqtt_protocol *p)
{
	static const struct properties none;

	p->received_count = 0;
	for (uint32_t i = 0; i < p->ring_count; i++) {
		struct mqtt_in_flight *e = entry_at(p, i), done = *e;

		if (e->step != STEP_PUBCOMP)
			continue;
		e->step = STEP_DONE;
		p->publishing--;
		call_answer(p, &done,
		            &(struct mqtt_answer){.request = PACKET_PUBLISH, .properties = &none});
	}
	if (p->ring_count > 0 && entry_at(p, 0)->step == STEP_DONE)
		end_entry(p, entry_at(p, 0));
}

#define FIRST_BYTE_DUP 0x08

/* [MQTT-4.4.0-1] [MQTT-4.6.0-1]: in order. */
static void resend(struct mqtt_protocol *p, bool session_present)
{
	size_t at = p->stored_start;

	for (uint32_t i = 0; i < p->ring_count; i++) {
		const struct mqtt_in_flight *e = entry_at(p, i);
		size_t start = p->out.len;

		REQUIRE(at + e->size <= p->stored.len);
		if (e->step == STEP_PUBCOMP) {
			packet_ack_encode(&p->out, p->options->version, PACKET_PUBREL, e->packet_id,
			                  REASON_SUCCESS, SLICE_EMPTY);
		} else if (e->step != STEP_DONE) {
			buf_put(&p->out, p->stored.data + at, e->size);
			/* mutant: client_resends_with_dup */
			if (session_present)
				p->out.data[start] |= FIRST_BYTE_DUP;
		}
		at += e->size;
	}
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
	resend(p, c.session_present);
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

void mqtt_protocol_acknowledge(struct mqtt_protocol *p, uint8_t qos, uint16_t packet_id,
                               enum reason reason)
{
	REQUIRE(qos <= 2 && (qos == 0 || packet_id != 0));
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
	if (message.properties.topic_alias != 0) /* none were offered [MQTT5-3.3.2-9] */
		return fault_of(REASON_TOPIC_ALIAS_INVALID, "the server used a Topic Alias");
	/* mutant: client_takes_qos_2_once */
	if (message.qos == 2 && !note_received(p, message.packet_id)) {
		mqtt_protocol_acknowledge(p, 2, message.packet_id, REASON_SUCCESS);
		return FAULT_NONE;
	}
	if (p->events->on_message(p->arg, &message))
		mqtt_protocol_acknowledge(p, message.qos, message.packet_id, REASON_SUCCESS);
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

static void end_publish(struct mqtt_protocol *p, struct mqtt_in_flight *e, const struct ack *ack)
{
	struct mqtt_in_flight done = *e;

	end_entry(p, e);
	call_answer(p, &done,
	            &(struct mqtt_answer){.request = PACKET_PUBLISH,
	                                  .reason = ack->reason,
	                                  .properties = &ack->properties});
}

static struct fault on_puback(struct mqtt_protocol *p, const struct frame *f)
{
	struct ack ack;
	struct fault fault = packet_ack_decode(f, p->options->version, &ack);
	struct mqtt_in_flight *e;

	if (!fault_is_none(fault))
		return fault;
	e = find_entry(p, ack.packet_id);
	if (e != NULL && e->step == STEP_PUBACK)
		end_publish(p, e, &ack);
	return FAULT_NONE;
}

/* [MQTT5-4.3.3-4, -5] */
static struct fault on_pubrec(struct mqtt_protocol *p, const struct frame *f)
{
	enum mqtt_version version = p->options->version;
	struct ack ack;
	struct fault fault = packet_ack_decode(f, version, &ack);
	struct mqtt_in_flight *e;
	bool known;

	if (!fault_is_none(fault))
		return fault;
	e = find_entry(p, ack.packet_id);
	known = e != NULL && (e->step == STEP_PUBREC || e->step == STEP_PUBCOMP);
	if (ack.reason >= REASON_UNSPECIFIED) {
		if (known)
			end_publish(p, e, &ack);
		return FAULT_NONE;
	}
	if (known)
		e->step = STEP_PUBCOMP;
	packet_ack_encode(&p->out, version, PACKET_PUBREL, ack.packet_id,
	                  known ? REASON_SUCCESS : REASON_PACKET_ID_NOT_FOUND, SLICE_EMPTY);
	return FAULT_NONE;
}

static struct fault on_pubcomp(struct mqtt_protocol *p, const struct frame *f)
{
	struct ack ack;
	struct fault fault = packet_ack_decode(f, p->options->version, &ack);
	struct mqtt_in_flight *e;

	if (!fault_is_none(fault))
		return fault;
	e = find_entry(p, ack.packet_id);
	if (e == NULL || e->step != STEP_PUBCOMP)
		return FAULT_NONE;
	/* It was received: an identifier that the server does not know any more is no failure. */
	if (ack.reason == REASON_PACKET_ID_NOT_FOUND)
		ack.reason = REASON_SUCCESS;
	end_publish(p, e, &ack);
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
	struct mqtt_in_flight *e, done;

	if (!fault_is_none(fault))
		return fault;
	e = find_entry(p, ack.packet_id);
	if (e == NULL || e->step != (subscribed ? STEP_SUBACK : STEP_UNSUBACK))
		return FAULT_NONE;
	done = *e;
	end_entry(p, e);
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

void mqtt_protocol_auth(struct mqtt_protocol *p, enum reason reason, struct slice method,
                        struct slice data)
{
	if (p->state == MQTT_CONNECTING || p->state == MQTT_OPEN)
		packet_auth_encode(&p->out, reason, method, data);
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

static struct fault take_frame(struct mqtt_protocol *p, const struct frame *f)
{
	const struct packet_row *row = &rows[f->type & 0xf];
	bool connecting = p->state == MQTT_CONNECTING;

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
		if (!fault_is_none(fault = take_frame(p, &f)))
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
	uint32_t max = p->server_receive_maximum;

	if (p->options->send_maximum > 0 && p->options->send_maximum < max)
		max = p->options->send_maximum;
	return p->publishing < max && next_packet_id(p) != 0;
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
	struct mqtt_in_flight *e;
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
	message->packet_id = p->next_id;
	e = add_entry(p, message->qos == 1 ? STEP_PUBACK : STEP_PUBREC, cookie);
	p->publishing++;
	packet_publish_encode(&p->out, message);
	if (p->options->resends) {
		e->size = p->out.len - start;
		buf_put(&p->stored, p->out.data + start, e->size);
	}
	return MQTT_DONE;
}

/* SUBSCRIBE or UNSUBSCRIBE was appended: it must not be too large. */
static enum mqtt_result add_request(struct mqtt_protocol *p, size_t start, enum step step,
                                    uint64_t cookie)
{
	if (p->out.len - start > p->server_packet_max) {
		p->out.len = start;
		return MQTT_TOO_LARGE;
	}
	add_entry(p, step, cookie);
	return MQTT_DONE;
}

enum mqtt_result mqtt_protocol_subscribe(struct mqtt_protocol *p,
                                         const struct subscribe_entry *entries, size_t count,
                                         struct slice properties, uint64_t cookie)
{
	size_t start = p->out.len;

	REQUIRE(count > 0);
	if (p->state != MQTT_OPEN)
		return MQTT_NOT_OPEN;
	if (next_packet_id(p) == 0)
		return MQTT_WINDOW_FULL;
	packet_subscribe_encode(&p->out, p->options->version, p->next_id, properties, entries,
	                        count);
	return add_request(p, start, STEP_SUBACK, cookie);
}

enum mqtt_result mqtt_protocol_unsubscribe(struct mqtt_protocol *p, const struct slice *filters,
                                           size_t count, struct slice properties, uint64_t cookie)
{
	size_t start = p->out.len;

	REQUIRE(count > 0);
	if (p->state != MQTT_OPEN)
		return MQTT_NOT_OPEN;
	if (next_packet_id(p) == 0)
		return MQTT_WINDOW_FULL;
	packet_unsubscribe_encode(&p->out, p->options->version, p->next_id, properties, filters,
	                          count);
	return add_request(p, start, STEP_UNSUBACK, cookie);
}
