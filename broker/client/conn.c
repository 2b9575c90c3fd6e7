/* The end of a connection, its pauses, and its place among those without CONNACK. */
#include "client/conn.h"

#include <stddef.h>

#include "base/array.h"
#include "client/client_list.h"
#include "client/last_ends.h"
#include "net/failed_handshakes.h"
#include "proto/packet_disconnect.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "session/session.h"
#include "worker/shared.h"

enum last_packet { LAST_PACKET_DISCONNECT, LAST_PACKET_NOTHING, LAST_PACKET_GONE };
enum log_line { LOG_LINE_ALWAYS, LOG_LINE_SESSION, LOG_LINE_NEVER };

static const struct {
	enum reason code;
	enum last_packet packet;
	enum log_line line;
	size_t counter; /* in struct counters */
	const char *text;
} rows[] = {
#define CLOSE(id, its_code, its_packet, its_line, its_counter, its_text)                           \
	[CLOSE_##id] = {.code = REASON_##its_code,                                                 \
	                .packet = LAST_PACKET_##its_packet,                                        \
	                .line = LOG_LINE_##its_line,                                               \
	                .counter = offsetof(struct counters, its_counter),                         \
	                .text = (its_text)},
#include "client/close_reasons.def"
#undef CLOSE
};
_Static_assert(ARRAY_LEN(rows) <= CLOSE_REASONS_MAX, "each reason is counted");

static const struct conn_ops *ops_of(const struct conn *c)
{
	return c->link.worker->clients->conn_ops;
}

/* [MQTT5-3.14.2-3] [MQTT5-3.14.4-1, -2] [MQTT5-4.13.2-1] */
static void put_disconnect(struct conn *c, struct fault fault, struct slice server_reference)
{
	struct slice text =
	    client_link_reason_string(&c->link, slice_of_str(fault.cause), REASON_STRING_REST);
	struct buf *out;
	size_t before;

	if (!pending_ack_has_connack(&c->link) || c->link.version != MQTT_5_0)
		return;
	out = link_output_buf(&c->link);
	before = out->len;
	packet_disconnect_encode(out, fault.reason, text, server_reference);
	count_packet_sent(&c->link.worker->counters, PACKET_DISCONNECT, out->len - before);
}

const char *conn_listener_name(const struct conn *c)
{
	const struct conf_listener *l =
	    config_snapshot_listener(c->link.worker->snapshot, stream_listener(c->link.stream));

	return l == NULL ? "" : l->bind;
}

/* What the log says where no DISCONNECT came or went. */
static const char *reason_of(struct fault fault, bool gone)
{
	return gone ? "no DISCONNECT" : reason_name_of_close(fault.reason);
}

/* Some clients compare the name after the handshake, and leave without a word. */
static void put_cause(const struct conn *c, struct fault fault, bool gone, struct buf *out)
{
	static const char leaves[] = "the client closed the connection before it sent anything: ";

	/* mutant: name_mismatch_after_the_handshake */
	if (gone && c->in.len == 0 && stream_is_established(c->link.stream)) {
		buf_printf(out, "%s", leaves);
		stream_put_mismatch(c->link.stream, out);
		if (out->len > sizeof(leaves) - 1)
			return;
		out->len = 0;
	}
	buf_printf(out, "%s", fault.cause);
}

/* All that is known by now and may help to find the device. */
static void log_before_connect(struct conn *c, const char *peer, struct fault fault, bool gone)
{
	struct worker *w = c->link.worker;
	struct connect packet = {.version = MQTT_3_1_1};
	struct buf cause = {0};
	uint32_t suppressed;

	put_cause(c, fault, gone, &cause);
	buf_put_u8(&cause, '\0');
	failed_handshakes_add(
	    &(const struct failed_handshake){.what = "before-connect",
	                                     .peer = stream_peer(c->link.stream),
	                                     .listener = conn_listener_name(c),
	                                     .cause = (const char *)cause.data,
	                                     .server_name = stream_server_name(c->link.stream)});
	if (!log_limit_pass(EVENT_CONNECTION_CLOSED_BEFORE_CONNECT, &w->clients->dropped_limit,
	                    w->executor.now_ms, 10000, 20, &suppressed))
		goto end;
	(void)ops_of(c)->peek_connect(c, &packet);
	LOG(CONNECTION_CLOSED_BEFORE_CONNECT, .peer = peer, .listener = conn_listener_name(c),
	    .sni = stream_server_name(c->link.stream), .client_id = packet.client_id,
	    .user = packet.user_name, .reason = reason_of(fault, gone),
	    .cause = (const char *)cause.data, .suppressed = suppressed);
end:
	buf_fini(&cause);
}

static void log_close(struct conn *c, struct fault fault, bool gone)
{
	const struct session *s = c->link.session;
	char peer[STREAM_PEER_TEXT];

	if (c->is_inside) /* who serves it says more */
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	if (s == NULL)
		log_before_connect(c, peer, fault, gone);
	else
		LOG(CLIENT_DISCONNECTED, .client_id = session_client_id(s), .user = session_user(s),
		    .peer = peer, .reason = reason_of(fault, gone), .cause = fault.cause);
}

/* For people who sort by it. */
static const char *what_of(enum close_reason why)
{
	switch (why) {
	case CLOSE_CLIENT:
		return "disconnect";
	case CLOSE_PEER:
	case CLOSE_RESET:
	case CLOSE_TLS:
	case CLOSE_WEBSOCKET:
		return "lost";
	case CLOSE_KEEP_ALIVE:
	case CLOSE_SERVER_KEEP_ALIVE:
	case CLOSE_SLOW_PACKET:
	case CLOSE_TAKES_NOTHING:
		return "keep-alive";
	case CLOSE_TAKEN_OVER:
		return "taken-over";
	case CLOSE_KICKED:
	case CLOSE_SESSION_DELETED:
		return "administrator";
	case CLOSE_CONNECT_REFUSED:
	case CLOSE_LATE_REFUSAL:
	case CLOSE_NOT_ADMITTED:
		return "refused";
	case CLOSE_FAULT:
	case CLOSE_NO_CONNECT:
	case CLOSE_CONNACK_TOO_LARGE:
		return "fault";
	case CLOSE_LOCAL:
	case CLOSE_STOPPING:
	case CLOSE_NO_PLACE:
	case CLOSE_DISPLACED:
	case CLOSE_ACK_FAILED:
	case CLOSE_STORE_FULL:
		break;
	}
	return "broker";
}

void conn_remember_end(const struct conn *c, enum close_reason why, struct fault fault,
                       const char *taken_by)
{
	const struct session *s = c->link.session;
	struct worker *w = c->link.worker;
	char address[STREAM_PEER_TEXT];
	struct last_end end = {.what = what_of(why),
	                       .address = address,
	                       .listener = conn_listener_name(c),
	                       .cause = fault.cause,
	                       .reason = fault.reason,
	                       .was_connected = true,
	                       .connected_s = (w->executor.now_ms - c->since_ms) / 1000,
	                       .taken_by = taken_by};

	REQUIRE_OWNER(&c->link);
	REQUIRE(s != NULL);
	if (c->is_inside) /* it was never a connection */
		return;
	end.client_id = session_client_id(s);
	end.user = session_user(s);
	stream_peer_key_text(c->link.stream, address, sizeof(address));
	last_ends_add(w, &w->clients->ends, &end);
}

/* RFC 6455 7.4.1, for those who see no DISCONNECT, as a browser's script does. */
static uint16_t websocket_code(enum reason reason)
{
	switch ((unsigned)reason) {
	case REASON_SERVER_SHUTTING_DOWN:
		return 1001;
	case REASON_PACKET_TOO_LARGE:
		return 1009;
	case REASON_NOT_AUTHORIZED:
	case REASON_BAD_USER_NAME_OR_PASSWORD:
	case REASON_QUOTA_EXCEEDED:
	case REASON_ADMINISTRATIVE_ACTION:
		return 1008;
	case REASON_UNSPECIFIED:
		return 1011;
	default:
		return 1000;
	}
}

void conn_close_with(struct conn *c, enum close_reason why, struct fault fault,
                     struct slice server_reference)
{
	struct shared *shared = c->link.worker->shared;
	enum log_line line = rows[why].line;

	REQUIRE_OWNER(&c->link);
	REQUIRE(!c->link.worker->delivering); /* T4 */
	if (c->state == CONN_CLOSING)
		return;
	if (fault.cause == NULL)
		fault = fault_of(rows[why].code, rows[why].text);
	if (rows[why].packet == LAST_PACKET_DISCONNECT)
		put_disconnect(c, fault, server_reference);
	stream_set_close_code(c->link.stream, websocket_code(fault.reason));
	if (line == LOG_LINE_ALWAYS || (line == LOG_LINE_SESSION && c->link.session != NULL))
		log_close(c, fault, rows[why].packet == LAST_PACKET_GONE);
	/* Of a takeover is said by whom, where that is known. */
	/* mutant: ends_are_remembered */
	if (c->link.session != NULL && why != CLOSE_TAKEN_OVER)
		conn_remember_end(c, why, fault, NULL);
	count((_Atomic uint64_t *)(void *)((char *)&c->link.worker->counters + rows[why].counter));
	count(&c->link.worker->counters.closed_by_reason[why]);
	if (why == CLOSE_CONNECT_REFUSED || why == CLOSE_LATE_REFUSAL)
		atomic_fetch_add(&shared->listeners[stream_listener(c->link.stream)].refused, 1);
	ops_of(c)->close(c, rows[why].packet == LAST_PACKET_GONE);
}

void conn_close(struct conn *c, enum close_reason why)
{
	conn_close_with(c, why, FAULT_NONE, SLICE_EMPTY);
}

void conn_fail(struct conn *c, struct fault fault)
{
	conn_close_with(c, CLOSE_FAULT, fault, SLICE_EMPTY);
}

void conn_resume(struct conn *c, enum pause_reason why)
{
	uint64_t paused_ms = c->link.worker->executor.now_ms - c->link.paused_ms;

	REQUIRE_OWNER(&c->link);
	if ((c->link.pauses & why) == 0)
		return;
	client_link_unpause(&c->link, why);
	if (c->link.pauses != 0)
		return;
	/* While we did not read, nothing could arrive: that does not count against the client. */
	/* mutant: pause_counts_as_silence */
	c->link.heard_ms += paused_ms;
	c->packet_ms += paused_ms;
	ops_of(c)->go_on(c);
	if (c->link.pauses == 0 && c->state != CONN_CLOSING)
		stream_resume(c->link.stream);
}

void conn_arrive(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	if (c->state == CONN_NEW && c->opening->moving_to == NULL)
		conn_resume(c, PAUSE_MOVE);
}

void conn_move(struct conn *c, struct worker *executor)
{
	REQUIRE_OWNER(&c->link);
	REQUIRE(c->state == CONN_NEW && c->opening->moving_to == NULL &&
	        executor != c->link.worker);
	c->opening->moving_to = executor;
	c->opening->next_leaving = c->link.worker->clients->leaving;
	c->link.worker->clients->leaving = c->opening;
	client_link_pause(&c->link, PAUSE_MOVE);
}

void conn_continue(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	ops_of(c)->go_on(c);
}
