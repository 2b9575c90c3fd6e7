/* CONNACK with a reason, one line in the log, close. */
#include "client/connect/connect_refuse.h"

#include "client/client_list.h"
#include "client/connect/waiting_connect.h"
#include "client/last_ends.h"
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"

#define PROTOCOL_MAX 32

static void put_connack(struct conn *c, const struct buf *bytes)
{
	buf_put_slice(link_output_buf(&c->link), buf_slice(bytes));
	count_packet_sent(&c->link.worker->counters, PACKET_CONNACK, bytes->len);
}

/* If the client takes only small packets, the text is left out before the code. [MQTT5-3.1.2-24]
 * [MQTT5-3.2.2-19] */
static void put_refusal(struct conn *c, const struct connect *packet, const struct connack *ack)
{
	uint32_t asked = packet->properties.max_packet_bytes; /* never 0 */
	size_t max = asked > 0 ? asked : SIZE_MAX;
	struct connack plain = *ack;
	struct buf bytes = {0};

	packet_connack_encode(&bytes, ack);
	if (bytes.len > max) {
		buf_clear(&bytes);
		plain.reason_string = plain.server_reference = SLICE_EMPTY;
		packet_connack_encode(&bytes, &plain);
	}
	if (bytes.len <= max)
		put_connack(c, &bytes);
	buf_fini(&bytes);
}

static void remember_refusal(const struct conn *c, const struct connect *packet, struct fault fault)
{
	struct worker *w = c->link.worker;
	char address[STREAM_PEER_TEXT];
	struct last_end end = {.what = "refused",
	                       .client_id = packet->client_id,
	                       .user = packet->user_name,
	                       .address = address,
	                       .listener = conn_listener_name(c),
	                       .cause = fault.cause,
	                       .reason = fault.reason};

	stream_peer_key_text(c->link.stream, address, sizeof(address));
	last_ends_add(w, &w->clients->ends, &end);
}

/* [MQTT5-3.1.4-2] [MQTT5-3.2.2-7, -8] */
static void refuse_with(struct conn *c, const struct connect *packet, const char *cause,
                        const struct connack *ack)
{
	struct worker *w = c->link.worker;
	struct buf certificate = {0}, key = {0};
	char peer[STREAM_PEER_TEXT];
	uint32_t suppressed;

	if (c->state == CONN_CLOSING)
		return;
	REQUIRE(!pending_ack_has_connack(&c->link));
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	if (log_limit_pass(EVENT_CONNECT_REFUSED, &w->clients->refusal_limit, w->executor.now_ms,
	                   10000, 50, &suppressed)) {
		stream_certificate_subject(c->link.stream, &certificate);
		stream_put_certificate_key(c->link.stream, &key);
		LOG(CONNECT_REFUSED, .client_id = packet->client_id, .user = packet->user_name,
		    .peer = peer, .listener = conn_listener_name(c),
		    .sni = stream_server_name(c->link.stream), .protocol_level = packet->level,
		    .certificate = buf_slice(&certificate), .key = buf_slice(&key),
		    .reason = reason_name(ack->reason), .cause = cause, .suppressed = suppressed);
		buf_fini(&certificate);
		buf_fini(&key);
	}
	remember_refusal(c, packet, fault_of(ack->reason, cause));
	/* 3.1.1 has five codes; for anything else it is closed without one. [MQTT3-3.2.2-4, -5] */
	if (packet->version == MQTT_5_0 || reason_connack_v3(ack->reason) != 0)
		put_refusal(c, packet, ack);
	conn_close_with(c, CLOSE_CONNECT_REFUSED, fault_of(ack->reason, cause), SLICE_EMPTY);
}

void connect_refuse(struct conn *c, const struct connect *packet, struct fault fault)
{
	struct connack ack = {.version = packet->version, .reason = fault.reason, .max_qos = 2};
	const struct properties *p = &packet->properties;

	/* A client of another version may not know the form of what follows the code. */
	if (fault.reason != REASON_UNSUPPORTED_VERSION &&
	    !(properties_have(p, PROPERTY_REQUEST_PROBLEM) && p->request_problem == 0))
		ack.reason_string = slice_of_str(fault.cause);
	refuse_with(c, packet, fault.cause, &ack);
}

void connect_refuse_by_code(struct conn *c, const struct connect *packet, struct fault fault)
{
	struct connack ack = {.version = packet->version, .reason = fault.reason, .max_qos = 2};

	refuse_with(c, packet, fault.cause, &ack);
}

bool connect_refuse_elsewhere(struct conn *c, const struct connect *packet)
{
	const struct conf_listener *l =
	    worker_listener(c->link.worker, stream_listener(c->link.stream));
	struct connack ack = {.version = packet->version,
	                      .reason =
	                          l->server_moved ? REASON_SERVER_MOVED : REASON_USE_ANOTHER_SERVER,
	                      .max_qos = 2,
	                      .server_reference = slice_of_str(l->server_reference)};

	if (l->server_reference == NULL)
		return false;
	refuse_with(c, packet, "clients of this listener are referred to its server_reference",
	            &ack);
	return true;
}

/* "MQTT 3.1 (MQIsdp, level 3)": the owner of a device must find out what to set there. */
static void put_protocol(const struct connect *packet, struct buf *out)
{
	size_t shown = packet->protocol.len > PROTOCOL_MAX ? PROTOCOL_MAX : packet->protocol.len;
	bool is_3_1 = slice_equal(packet->protocol, SLICE("MQIsdp"));

	buf_printf(out, "the client speaks %s (protocol name ",
	           is_3_1 ? "MQTT 3.1" : "another protocol or version");
	buf_put(out, packet->protocol.data, shown);
	buf_printf(out,
	           ", level %u); the broker speaks MQTT 3.1.1 (MQTT, level 4) and 5.0 (MQTT, level "
	           "5): select one of them in the client",
	           packet->level);
	buf_put_u8(out, 0);
}

void connect_refuse_input(struct conn *c, struct fault fault)
{
	struct buf text = {0};
	struct slice in = buf_slice(&c->in);
	struct connect packet = {.version = MQTT_3_1_1}, seen;
	struct frame f;
	size_t needed;

	REQUIRE_OWNER(&c->link);
	if (frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed) ==
	    FRAME_COMPLETE)
		(void)packet_connect_decode(&f, &packet); /* what comes before its fault */
	if (waiting_connect_peek(c, &seen)) {
		packet.version = seen.version;
		packet.protocol = seen.protocol;
		packet.level = seen.level;
		packet.client_id = seen.client_id;
		packet.user_name = seen.user_name;
	}
	if (fault.reason == REASON_UNSUPPORTED_VERSION) {
		put_protocol(&packet, &text);
		fault.cause = (const char *)text.data;
	}
	connect_refuse(c, &packet, fault);
	buf_fini(&text);
}

/* The peer learns nothing about names and passwords. [MQTT5-3.1.3-8] */
void connect_refuse_login(struct conn *c, const struct connect *packet, enum login_verdict verdict,
                          const char *why)
{
	switch (verdict) {
	case LOGIN_NOT_AUTHORIZED:
		connect_refuse_by_code(c, packet, fault_of(REASON_NOT_AUTHORIZED, why));
		break;
	case LOGIN_BAD_CLIENT_ID:
		connect_refuse(c, packet, fault_of(REASON_CLIENT_ID_NOT_VALID, why));
		break;
	case LOGIN_BUSY:
		connect_refuse(c, packet, fault_of(REASON_SERVER_BUSY, why));
		break;
	case LOGIN_BAD_CREDENTIALS:
	case LOGIN_NEEDS_PROOF:
	case LOGIN_ACCEPTED:
		connect_refuse_by_code(c, packet, fault_of(REASON_BAD_USER_NAME_OR_PASSWORD, why));
		break;
	}
}

/* It was accepted, and its CONNACK still waits for the journal. */
static void refuse_accepted(struct conn *c, struct fault fault, struct slice server_reference)
{
	struct connack ack = {.version = c->link.version,
	                      .reason = fault.reason,
	                      .max_qos = 2,
	                      .server_reference = server_reference};
	struct buf bytes = {0};

	packet_connack_encode(&bytes, &ack);
	if (bytes.len <= c->link.max_packet_bytes &&
	    (c->link.version == MQTT_5_0 || reason_connack_v3(fault.reason) != 0))
		put_connack(c, &bytes);
	buf_fini(&bytes);
	c->clean_disconnect = true; /* a client without CONNACK has no will */
	conn_close_with(c, CLOSE_LATE_REFUSAL, fault, server_reference);
}

/* The CONNECT at the head of the input, if it is complete. */
static bool refuse_whole_input(struct conn *c, struct fault fault, struct slice server_reference)
{
	struct slice in = buf_slice(&c->in);
	struct connect packet = {0};
	struct connack ack = {
	    .reason = fault.reason, .max_qos = 2, .server_reference = server_reference};
	struct frame f;
	size_t needed;

	if (frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed) !=
	        FRAME_COMPLETE ||
	    f.type != PACKET_CONNECT || !fault_is_none(packet_connect_decode(&f, &packet)))
		return false;
	ack.version = packet.version;
	refuse_with(c, &packet, fault.cause, &ack);
	waiting_connect_drop(c);
	return true;
}

bool connect_refuse_waiting(struct conn *c, struct fault fault, struct slice server_reference)
{
	REQUIRE_OWNER(&c->link);
	if (c->state == CONN_ACCEPTED)
		refuse_accepted(c, fault, server_reference);
	else if (c->attempt != NULL && c->attempt->refuse != NULL)
		c->attempt->refuse(c, fault);
	else
		return c->in.len > 0 && refuse_whole_input(c, fault, server_reference);
	return true;
}
