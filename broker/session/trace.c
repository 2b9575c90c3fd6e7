/* Packets are read once more, leniently: they are ours, or their decoder has seen them or will.
 */
#include "session/trace.h"

#include "acl/acl_verdict.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log_tap.h"
#include "proto/packet_connect.h"
#include "proto/wire.h"
#include "session/client_link.h"
#include "session/session.h"

#define RULE_MAX 256

bool trace_wants(const struct worker *w, struct slice client_id, struct slice user)
{
	const char *only = w->snapshot->conf->log_trace;

	/* mutant: trace_of_one */
	if (log_level_is_debug() && (only == NULL || slice_equal(client_id, slice_of_str(only)) ||
	                             slice_equal(user, slice_of_str(only))))
		return true;
	return log_tap_is_open() && log_tap_wants(LOG_LEVEL_DEBUG, client_id, user, false);
}

bool trace_wants_session(const struct session *s)
{
	return trace_wants(s->worker, session_client_id(s), session_user(s));
}

/* --- packets --- */

struct summary {
	uint16_t packet_id; /* 0: none */
	struct slice topic; /* or the first filter */
	struct slice payload;
	const char *reason;
	uint8_t code;
};

typedef void read_fn(struct reader *r, const struct frame *f, bool is_5, struct summary *out);

static void skip_properties(struct reader *r, bool is_5)
{
	if (is_5)
		read_bytes(r, read_varint(r));
}

static void read_code(struct reader *r, struct summary *out)
{
	if (reader_left(r) == 0)
		return;
	out->code = read_u8(r);
	out->reason = reason_name((enum reason)out->code);
}

static void read_nothing(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)r;
	(void)f;
	(void)is_5;
	(void)out;
}

static void read_publish(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	out->topic = read_string(r);
	if ((f->flags & 0x06) != 0)
		out->packet_id = read_u16(r);
	skip_properties(r, is_5);
	out->payload = read_rest(r);
}

static void read_connack(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)f;
	read_u8(r); /* Session Present */
	read_code(r, out);
	if (!is_5)
		out->reason = out->code == 0 ? "Connection Accepted" : "Connection Refused";
}

static void read_ack(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)f;
	out->packet_id = read_u16(r);
	if (is_5)
		read_code(r, out);
}

static void read_request(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)f;
	out->packet_id = read_u16(r);
	skip_properties(r, is_5);
	out->topic = read_string(r);
}

/* Of the first filter; 3.1.1 has the same codes, and none in UNSUBACK. */
static void read_answer(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)f;
	out->packet_id = read_u16(r);
	skip_properties(r, is_5);
	read_code(r, out);
	if (out->reason != NULL && out->code == 0 && f->type == PACKET_SUBACK)
		out->reason = "Granted QoS 0";
}

static void read_end(struct reader *r, const struct frame *f, bool is_5, struct summary *out)
{
	(void)is_5;
	read_code(r, out);
	if (f->type == PACKET_DISCONNECT)
		out->reason = reason_name_of_close((enum reason)out->code);
}

static read_fn *const readers[16] = {
    [PACKET_RESERVED] = read_nothing,    [PACKET_CONNECT] = read_nothing,
    [PACKET_CONNACK] = read_connack,     [PACKET_PUBLISH] = read_publish,
    [PACKET_PUBACK] = read_ack,          [PACKET_PUBREC] = read_ack,
    [PACKET_PUBREL] = read_ack,          [PACKET_PUBCOMP] = read_ack,
    [PACKET_SUBSCRIBE] = read_request,   [PACKET_SUBACK] = read_answer,
    [PACKET_UNSUBSCRIBE] = read_request, [PACKET_UNSUBACK] = read_answer,
    [PACKET_PINGREQ] = read_nothing,     [PACKET_PINGRESP] = read_nothing,
    [PACKET_DISCONNECT] = read_end,      [PACKET_AUTH] = read_end,
};

enum direction { RECEIVED, SENT };

#define PAYLOAD_MAX 2048

/* Only for who asks for it on the control socket, never for the log. */
static void tap_payload(struct slice client_id, struct slice user, const struct summary *summary)
{
	struct log_tap_line line = {
	    .level = LOG_LEVEL_DEBUG, .client_id = client_id, .user = user, .is_payload = true};
	size_t shown = summary->payload.len > PAYLOAD_MAX ? PAYLOAD_MAX : summary->payload.len;
	char time[CLOCK_TEXT_MAX];
	struct buf text = {0};

	json_open(&text);
	json_str(&text, "time", clock_text(clock_wall_ms(), time));
	json_str(&text, "level", "debug");
	json_str(&text, "event", "payload");
	json_text(&text, "client_id", client_id);
	json_text(&text, "user", user);
	json_text(&text, "topic", summary->topic);
	json_number(&text, "size", summary->payload.len);
	json_text(&text, "payload", slice_of(summary->payload.data, shown));
	json_close(&text);
	line.text = buf_slice(&text);
	log_tap_put(&line);
	buf_fini(&text);
}

static void log_packet(const struct client_link *link, const struct frame *f,
                       enum direction direction)
{
	const struct session *s = link->session;
	struct slice client_id = s == NULL ? SLICE_EMPTY : session_client_id(s);
	struct slice user = s == NULL ? SLICE_EMPTY : session_user(s);
	bool is_publish = f->type == PACKET_PUBLISH;
	struct reader r = reader_of(f->body);
	struct summary summary = {0};
	char peer[STREAM_PEER_TEXT] = "";

	REQUIRE((unsigned)f->type < 16);
	if (!trace_wants(link->worker, client_id, user))
		return;
	readers[f->type](&r, f, link->version == MQTT_5_0, &summary);
	if (r.bad)
		summary = (struct summary){.reason = "cut short"};
	if (s == NULL)
		stream_peer_text(link->stream, peer, sizeof(peer));
#define PACKET                                                                                     \
	.client_id = client_id, .user = user, .peer = slice_of_str(peer),                          \
	.packet = packet_type_name(f->type), .packet_id = summary.packet_id,                       \
	.topic = summary.topic, .qos = is_publish ? (f->flags >> 1) & 3u : 0u,                     \
	.retain = is_publish ? f->flags & 1u : 0u, .dup = is_publish ? f->flags >> 3 & 1u : 0u,    \
	.reason = slice_of_str(summary.reason), .size = f->size_bytes
	if (direction == RECEIVED)
		LOG(PACKET_RECEIVED, PACKET);
	else
		LOG(PACKET_SENT, PACKET);
#undef PACKET
	/* mutant: payloads_only_where_asked */
	if (is_publish && log_tap_is_open() &&
	    log_tap_wants(LOG_LEVEL_DEBUG, client_id, user, true))
		tap_payload(client_id, user, &summary);
}

void trace_received(const struct client_link *link, const struct frame *f)
{
	REQUIRE_OWNER(link);
	log_packet(link, f, RECEIVED);
}

void trace_sent(const struct client_link *link, struct slice packets)
{
	struct frame f;
	size_t needed;

	REQUIRE_OWNER(link);
	while (frame_next(&packets, SIZE_MAX, &f, &needed) == FRAME_COMPLETE)
		log_packet(link, &f, SENT);
}

/* --- decisions --- */

void trace_allowed_will(const struct worker *w, const struct connect *packet,
                        const struct acl_verdict *verdict)
{
	char rule[RULE_MAX];
	size_t len;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(verdict->allowed);
	if (!trace_wants(w, packet->client_id, packet->user_name))
		return;
	len = acl_verdict_text(w->snapshot->acl, verdict, rule, sizeof(rule));
	LOG(ACCESS_ALLOWED, .client_id = packet->client_id, .user = packet->user_name,
	    .action = acl_action_name(ACL_WILL), .topic = packet->will.topic,
	    .rule = slice_of(rule, len));
}

void trace_allowed(const struct session *s, enum acl_action action, struct slice topic,
                   const struct acl_verdict *verdict)
{
	char rule[RULE_MAX];
	size_t len;

	REQUIRE_OWNER(s);
	REQUIRE(verdict->allowed);
	if (!trace_wants_session(s))
		return;
	len = acl_verdict_text(s->worker->snapshot->acl, verdict, rule, sizeof(rule));
	LOG(ACCESS_ALLOWED, .client_id = session_client_id(s), .user = session_user(s),
	    .action = acl_action_name(action), .topic = topic, .rule = slice_of(rule, len));
}

void trace_routed(const struct session *s, const struct msg *msg, size_t matches)
{
	if (s != NULL && trace_wants_session(s))
		LOG(MESSAGE_ROUTED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(msg), .matches = matches);
}

void trace_delivery(const struct session *s, const struct msg *msg, const char *decision)
{
	REQUIRE_OWNER(s);
	if (trace_wants_session(s))
		LOG(DELIVERY_DECIDED, .client_id = session_client_id(s), .user = session_user(s),
		    .topic = msg_topic(msg), .decision = decision);
}
