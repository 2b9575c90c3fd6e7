/* A client's connection: bytes to packets, packets to handlers, what is written in a turn, keep
 * alive, the end. */
#include "client/conn.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "client/admission.h"
#include "client/auth_exchange.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/connection_limits.h"
#include "client/deferred_close.h"
#include "client/deferred_publish.h"
#include "client/input_drain.h"
#include "client/yield.h"
#include "net/listener.h"
#include "proto/packet_disconnect.h"
#include "routing/local_delivery.h"
#include "session/link_output.h"
#include "session/pending_ack.h"
#include "session/session.h"
#include "session/subscribe_request.h"
#include "worker/shared.h"

#define FLUSH_MS       2000
#define CROWD_FRESH_MS 500
#define CROWD_HOLD_MS  10

/* --- writing --- */

static void on_drained(void *arg)
{
	struct conn *c = arg;

	conn_memory_count(c);
	if (c->state != CONN_ACCEPTED)
		return;
	conn_resume(c, PAUSE_OUTPUT);
	if (c->link.session != NULL && c->state == CONN_ACCEPTED) {
		session_pump(c->link.session);
		replay_wake(c->link.session);
	}
}

/* --- the end --- */

static void log_disconnected(struct conn *c, enum reason reason, const char *cause)
{
	char peer[STREAM_PEER_TEXT];

	stream_peer_text(c->link.stream, peer, sizeof(peer));
	if (c->link.session == NULL)
		return;
	LOG(CLIENT_DISCONNECTED, .client_id = session_client_id(c->link.session),
	    .user = session_user(c->link.session), .peer = peer, .reason = reason_name(reason),
	    .cause = cause);
}

static const char *listener_name(const struct conn *c)
{
	const struct conf_listener *l =
	    config_snapshot_listener(c->link.worker->snapshot, stream_listener(c->link.stream));

	return l == NULL ? "" : l->bind;
}

static void log_dropped(struct conn *c, enum reason reason, const char *cause)
{
	char peer[STREAM_PEER_TEXT];
	struct worker *w = c->link.worker;
	uint32_t suppressed;

	if (!log_limit_pass(&w->clients->dropped_limit, w->executor.now_ms, 10000, 20, &suppressed))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CONNECTION_CLOSED_BEFORE_CONNECT, .peer = peer, .listener = listener_name(c),
	    .reason = reason_name(reason), .cause = cause, .suppressed = suppressed);
}

/* Everything of ours that hangs on it lets go; the stream is still there. */
static void conn_release(struct conn *c)
{
	struct shared *shared = c->link.worker->shared;
	struct session *session = c->link.session;

	c->state = CONN_CLOSING;
	c->link.accepted = false;
	executor_timer_disarm(&c->link.worker->executor, &c->timer);
	connect_cancel_login(c);
	auth_exchange_cancel(c);
	request_forget(&c->link);
	pending_acks_forget(&c->link);
	yield_forget(c);
	input_drain_forget(c);
	connection_limits_give_user(c);
	conn_leave_half_open(c);
	if (c->counted) {
		atomic_fetch_sub(&shared->connections, 1);
		atomic_fetch_sub(&shared->listener_connections[stream_listener(c->link.stream)], 1);
	}
	c->counted = false;
	c->link.session = NULL;
	if (session != NULL) {
		session->link = NULL;
		session_detach(session, !c->clean_disconnect);
	}
}

void conn_end(struct conn *c, enum reason reason, const char *cause)
{
	if (c->state == CONN_CLOSING)
		return;
	if (c->link.session != NULL)
		log_disconnected(c, reason, cause);
	else
		log_dropped(c, reason, cause);
	conn_close(c);
}

void conn_close(struct conn *c)
{
	conn_release(c);
	link_output_close(&c->link);
	if (!deferred_close_begin(c, FLUSH_MS))
		stream_close(c->link.stream, FLUSH_MS);
}

/* [MQTT5-3.14.2-3] [MQTT5-3.14.4-1, -2] [MQTT5-4.13.2-1] */
void conn_fail(struct conn *c, enum reason reason, const char *cause)
{
	conn_fail_to(c, reason, cause, SLICE_EMPTY);
}

void conn_fail_to(struct conn *c, enum reason reason, const char *cause,
                  struct slice server_reference)
{
	struct slice text =
	    client_link_reason_string(&c->link, slice_of_str(cause), REASON_STRING_REST);

	if (c->state == CONN_CLOSING)
		return;
	if (pending_ack_has_connack(&c->link) && c->link.version == MQTT_5_0) {
		disconnect_encode(link_output_buf(&c->link), reason, text, server_reference);
		count(&c->link.worker->counters.packets_sent);
	}
	conn_end(c, reason, cause);
}

static const char *end_cause(enum stream_end end)
{
	switch (end) {
	case STREAM_END_PEER:
		return "the client closed the connection without DISCONNECT";
	case STREAM_END_RESET:
		return "the connection was lost";
	case STREAM_END_TLS:
		return "TLS failed";
	case STREAM_END_LOCAL:
		break;
	}
	return "closed here";
}

static void conn_unlink(struct conn *c)
{
	struct worker *w = c->link.worker;

	admission_forget(c);
	DL_DELETE(w->clients->conns, c);
	if (c->link.dirty)
		LL_DELETE2(w->output->dirty, &c->link, next_dirty);
	if (c->link.in_review)
		LL_DELETE2(w->output->review, &c->link, next_review);
	if (c->moving_to != NULL)
		LL_DELETE2(w->clients->leaving, c, next_leaving);
}

static void conn_free(struct conn *c)
{
	struct worker *w = c->link.worker;

	conn_unlink(c);
	deferred_close_forget(c);
	if (c->address_counted)
		connection_limits_give_address(w, c->link.stream);
	conn_memory_end(c);
	buf_fini_secret(&c->in); /* of a CONNECT that never was whole */
	deferred_publish_free(c);
	link_output_drop(&c->link);
	alias_table_fini(&c->link.aliases);
	alias_table_fini(&c->link.aliases_out);
	identity_unref(&c->identity);
	free(c);
	if (w->stopping && w->clients->conns == NULL && w->clients->on_empty != NULL)
		w->clients->on_empty(w->clients->on_empty_arg);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct conn *c = arg;

	if (c->state != CONN_CLOSING) {
		if (c->link.session != NULL)
			log_disconnected(c, REASON_UNSPECIFIED, end_cause(end));
		else if (end != STREAM_END_TLS) /* the handshake's own line said more */
			log_dropped(c, REASON_UNSPECIFIED, end_cause(end));
		conn_release(c);
	}
	conn_free(c);
}

/* --- reading --- */

typedef struct fault frame_handler(struct client_link *link, const struct frame *f);

static struct fault on_pingreq(struct client_link *link, const struct frame *f)
{
	struct fault fault = pingreq_decode(f);

	if (!fault_is_none(fault))
		return fault;
	pending_ack_ping(link); /* [MQTT-3.12.4-1] */
	return FAULT_NONE;
}

static struct fault on_disconnect(struct client_link *link, const struct frame *f)
{
	struct conn *c = conn_of(link);
	struct disconnect d;
	struct fault fault = disconnect_decode(f, c->link.version, &d);
	struct session *s = c->link.session;

	if (!fault_is_none(fault) ||
	    !fault_is_none(fault = client_link_check_properties(&c->link, &d.properties)))
		return fault;
	if (properties_have(&d.properties, PROPERTY_SESSION_EXPIRY)) {
		if (s->expiry_s == 0 && d.properties.session_expiry_s != 0)
			return fault_of(REASON_PROTOCOL_ERROR, /* section 3.14.2.2.2 */
			                "the Session Expiry Interval was 0 in CONNECT and cannot "
			                "be raised");
		session_set_expiry(s, d.properties.session_expiry_s, client_link_limits(&c->link));
	}
	/* Only 0x00 says that the will is not wanted. [MQTT5-3.14.4-3] [MQTT3-3.14.4-3] */
	/* mutant: will_after_disconnect */
	c->clean_disconnect = d.reason == REASON_SUCCESS;
	c->said_disconnect = true;
	conn_end(c, d.reason, "the client sent DISCONNECT");
	return FAULT_NONE;
}

/* [MQTT5-3.2.0-2] */
static struct fault on_second_connect(struct client_link *link, const struct frame *f)
{
	(void)link;
	(void)f;
	return fault_of(REASON_PROTOCOL_ERROR,
	                "the client sent a second CONNECT"); /* [MQTT-3.1.0-2] */
}

static frame_handler *const handlers[16] = {
    [PACKET_CONNECT] = on_second_connect,
    [PACKET_PUBLISH] = on_publish,
    [PACKET_PUBACK] = on_puback,
    [PACKET_PUBREC] = on_pubrec,
    [PACKET_PUBREL] = on_pubrel,
    [PACKET_PUBCOMP] = on_pubcomp,
    [PACKET_SUBSCRIBE] = on_subscribe,
    [PACKET_UNSUBSCRIBE] = on_unsubscribe,
    [PACKET_PINGREQ] = on_pingreq,
    [PACKET_DISCONNECT] = on_disconnect,
    [PACKET_AUTH] = on_auth,
};

/* Nothing is read for a while when it is one PUBLISH too many. */
static void spend_rate(struct conn *c)
{
	struct worker *w = c->link.worker;
	uint32_t per_second = client_link_limits(&c->link)->message_rate;
	uint64_t wait_ms;

	if (per_second == 0)
		return;
	wait_ms = rate_limiter_spend(&c->rate_limiter, per_second, w->executor.now_ms);
	if (wait_ms == 0)
		return;
	client_link_pause(&c->link, PAUSE_RATE);
	executor_timer_arm(&w->executor, &c->timer, wait_ms);
}

/* [MQTT3-4.8.0-1] [MQTT5-4.13.1-1] */
static void dispatch(struct conn *c, const struct frame *f)
{
	frame_handler *handler = handlers[f->type];
	struct fault fault;

	c->link.worker->work++;
	count(&c->link.worker->counters.packets_received);
	if (handler == NULL) {
		conn_fail(c, REASON_PROTOCOL_ERROR, "a client must not send this packet type");
		return;
	}
	if (f->padded && c->link.version == MQTT_5_0) { /* [MQTT5-1.5.5-1] */
		conn_fail(c, REASON_MALFORMED, "the Remaining Length is not in its shortest form");
		return;
	}
	if (f->type == PACKET_PUBLISH)
		spend_rate(c);
	fault = handler(&c->link, f);
	if (!fault_is_none(fault))
		conn_fail(c, fault.reason, fault.cause);
}

bool conn_handle(struct conn *c, const struct frame *f, uint64_t received_ms)
{
	c->link.defers = false;
	c->link.worker->output->received_ms = received_ms;
	dispatch(c, f);
	if (c->link.defers || c->link.request != NULL) /* it comes again */
		uncount(&c->link.worker->counters.packets_received, 1);
	return !c->link.defers;
}

static void handle_or_park(struct conn *c, const struct frame *f, const uint8_t *packet,
                           const uint8_t *end)
{
	uint64_t now_ms = c->link.worker->executor.now_ms;

	c->link.last_packet_ms = now_ms;
	stream_note_packet(c->link.stream);
	if (c->link.limit.drain != NULL && !input_drain_admits(c, f))
		return;
	/* mutant: deferred_overtaken */
	if (deferred_is_waiting(c, f) || !conn_handle(c, f, now_ms))
		deferred_publish_add(c, f, slice_of(packet, (size_t)(end - packet)));
	if (conn_waits(c))
		input_drain_apply(c);
}

/* What a connection may take of a turn: the work it causes is counted, and now and then the clock
 * is asked too: that is looked at when so much was done, until then a packet costs one comparison.
 */
#define LOOK_STEPS 64
#define SHARE_NS   UINT64_C(4000000)

struct share {
	uint64_t look, end; /* worker->work */
	uint64_t begin_ns;  /* 0: not looked yet */
};

static void look_later(const struct worker *w, struct share *share)
{
	share->look = w->work + LOOK_STEPS;
	if (share->look > share->end)
		share->look = share->end;
}

static struct share share_of(const struct worker *w)
{
	struct share share = {.end = w->work + w->turn_steps};

	look_later(w, &share);
	return share;
}

static bool share_is_used(const struct worker *w, struct share *share)
{
	uint64_t now_ns;

	if (w->work >= share->end)
		return true;
	look_later(w, share);
	now_ns = clock_monotonic_ns();
	if (share->begin_ns == 0)
		share->begin_ns = now_ns;
	return now_ns - share->begin_ns > SHARE_NS;
}

/* Handle what is complete; *in stands behind it then. A request under way is handled again. */
/* [MQTT3-3.1.4-5] [MQTT5-3.1.4-6] [MQTT5-3.2.2-15] */
static void handle_packets(struct conn *c, struct slice *in)
{
	size_t max = client_link_limits(&c->link)->max_packet_size;
	struct worker *w = c->link.worker;
	struct share share = share_of(w);
	struct slice from;
	struct frame f;
	size_t needed;

	while (c->state == CONN_ACCEPTED && c->link.pauses == 0 && in->len > 0) {
		from = *in;
		switch (frame_next(in, max, &f, &needed)) {
		case FRAME_COMPLETE:
			handle_or_park(c, &f, from.data, in->data);
			if (c->link.request != NULL) {
				*in = from;
				conn_yield(c);
			} else if (/* mutant: turn_share */ w->work >= share.look &&
			           c->state == CONN_ACCEPTED && share_is_used(w, &share)) {
				conn_yield(c);
			}
			break;
		case FRAME_INCOMPLETE:
			return;
		case FRAME_MALFORMED:
			conn_fail(c, REASON_MALFORMED, "the Remaining Length is not valid");
			return;
		case FRAME_TOO_LARGE:
			conn_fail(c, REASON_PACKET_TOO_LARGE, "larger than limits.max_packet_size");
			return;
		}
	}
}

/* The first packet stays in c->in until it is judged: it may have to move, or wait for a hash.
 * [MQTT-3.1.0-1] */
static void handle_first(struct conn *c)
{
	struct slice in = buf_slice(&c->in);
	struct frame f;
	struct fault fault;
	size_t needed;

	if (c->link.pauses != 0)
		return;
	/* mutant: checked_when_connect_comes */
	if (!client_link_is_admitted(&c->link)) {
		admission_close(c);
		return;
	}
	if (c->in.data[0] >> 4 != PACKET_CONNECT) {
		conn_end(c, REASON_PROTOCOL_ERROR, "the first packet was not CONNECT");
		return;
	}
	switch (frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed)) {
	case FRAME_COMPLETE:
		stream_note_packet(c->link.stream);
		half_open_progress(&c->half_open, HALF_OPEN_CONNECT);
		fault = on_connect(c, &f);
		if (!fault_is_none(fault))
			connect_refuse(c, fault.reason, fault.cause);
		break;
	case FRAME_INCOMPLETE:
		break;
	case FRAME_MALFORMED:
		conn_end(c, REASON_MALFORMED, "the Remaining Length is not valid");
		break;
	case FRAME_TOO_LARGE:
		conn_end(c, REASON_PACKET_TOO_LARGE,
		         "CONNECT is larger than limits.max_connect_size");
		break;
	}
}

/* One that is refused now is not read any more; admission_turn closes it. */
static bool may_read(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return false;
	/* mutant: refused_is_not_read */
	if (c->state == CONN_NEW ||
	    client_link_is_admitted(&c->link)) /* handle_first looks for itself */
		return true;
	client_link_pause(&c->link, PAUSE_STOP);
	return false;
}

void conn_continue(struct conn *c)
{
	struct slice in;

	if (!may_read(c))
		return;
	if (c->state == CONN_NEW && c->in.len > 0)
		handle_first(c);
	auth_exchange_continue(c);
	deferred_publish_continue(c);
	if (conn_waits(c))
		input_drain_apply(c);
	if (c->state == CONN_ACCEPTED && c->in.len > 0) {
		in = buf_slice(&c->in);
		handle_packets(c, &in);
		buf_consume(&c->in, c->in.len - in.len);
		buf_trim(&c->in);
	}
	conn_memory_count(c);
}

static void on_bytes(void *arg, struct slice bytes)
{
	struct conn *c = arg;

	if (!may_read(c))
		return;
	count_by(&c->link.worker->counters.bytes_received, bytes.len);
	if (c->link.limit.drain != NULL)
		input_drain_heard(c);
	if (c->state != CONN_ACCEPTED || c->in.len > 0) {
		if (conn_memory_keep_input(c, bytes))
			conn_continue(c);
		return;
	}
	handle_packets(c, &bytes);
	if (c->state != CONN_CLOSING && bytes.len > 0)
		(void)conn_memory_keep_input(c, bytes);
}

/* For the places before CONNACK. */
static void on_stage(void *arg, enum stream_stage stage)
{
	struct conn *c = arg;

	half_open_progress(&c->half_open,
	                   stage == STREAM_STAGE_HELLO ? HALF_OPEN_HELLO : HALF_OPEN_HANDSHAKE);
}

const struct stream_events conn_events = {
    .on_bytes = on_bytes,
    .on_stage = on_stage,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* --- pausing --- */

void conn_resume(struct conn *c, enum pause_reason why)
{
	if ((c->link.pauses & why) == 0)
		return;
	c->link.pauses &= (uint16_t)~why;
	if (c->link.pauses != 0)
		return;
	/* While we did not read, nothing could arrive: that does not count against the client. */
	if (why != PAUSE_OUTPUT)
		c->link.last_packet_ms = c->link.worker->executor.now_ms;
	conn_continue(c);
	if (c->link.pauses == 0 && c->state != CONN_CLOSING)
		stream_resume(c->link.stream);
}

/* --- time --- */

/* Nobody judged its keep alive meanwhile: that begins anew. */
static void go_on_reading(struct conn *c)
{
	struct worker *w = c->link.worker;

	c->link.last_packet_ms = w->executor.now_ms;
	if (c->keep_alive_s > 0)
		executor_timer_arm(&w->executor, &c->timer, (uint64_t)c->keep_alive_s * 1500);
	conn_resume(c, PAUSE_RATE);
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct conn *c = container_of(timer, struct conn, timer);
	struct worker *w = executor_arg;
	/* mutant: keep_alive_twice */
	uint64_t allowed_ms = (uint64_t)c->keep_alive_s * 1500;

	if (deferred_close_is_late(c))
		return;
	if (c->state == CONN_NEW) {
		conn_end(c, REASON_MAXIMUM_CONNECT_TIME,
		         "no CONNECT within limits.connect_timeout");
		return;
	}
	if (c->state == CONN_ACCEPTED && (c->link.pauses & PAUSE_RATE) != 0) {
		go_on_reading(c);
		return;
	}
	if (c->state != CONN_ACCEPTED || c->keep_alive_s == 0)
		return;
	if ((c->link.pauses & (PAUSE_PRESSURE | PAUSE_STORE | PAUSE_TURN)) != 0)
		c->link.last_packet_ms = w->executor.now_ms;
	/* [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
	if (w->executor.now_ms - c->link.last_packet_ms >= allowed_ms)
		conn_fail(c, REASON_KEEP_ALIVE_TIMEOUT,
		          "nothing arrived for one and a half keep alive intervals");
	else
		timer_arm(&w->executor.timers, timer, c->link.last_packet_ms + allowed_ms);
}

/* --- the beginning --- */

/* All places are taken, evenly, and the one that would give way has just come: this is a crowd, not
 * somebody who holds places. It waits in the kernel for places that become free, instead of pushing
 * itself out. */
static void slow_down(struct worker *w, const struct stream *stream, struct half_open_place *victim)
{
	const struct conn *c = victim == NULL ? NULL : container_of(victim, struct conn, half_open);

	if (c != NULL && w->executor.now_ms - c->accepted_ms > CROWD_FRESH_MS)
		return;
	/* mutant: half_open_crowd_waits */
	if (half_open_is_even(&w->clients->half_open, stream_peer_key(stream)))
		listener_hold(w->clients->listeners[stream_listener(stream)], CROWD_HOLD_MS);
}

/* Each worker has its part of limits.unauthenticated. False: there is no place for one more of this
 * address that has come so far. */
static bool make_room(struct worker *w, struct stream *stream, enum half_open_stage stage)
{
	const struct conf_listener *l =
	    config_snapshot_listener(w->snapshot, stream_listener(stream));
	unsigned workers = w->shared->worker_count;
	uint32_t max = l == NULL ? UINT32_MAX : l->limits.unauthenticated; /* it is closed soon */
	struct half_open_place *victim;

	if (w->clients->half_open.count < (max < workers ? 1 : max / workers))
		return true;
	victim = half_open_victim(&w->clients->half_open, stream_peer_key(stream), stage);
	slow_down(w, stream, victim);
	if (victim == NULL)
		return false;
	conn_end(container_of(victim, struct conn, half_open), REASON_SERVER_BUSY,
	         "limits.unauthenticated is reached, and of the address with the most connections "
	         "this one made the least progress");
	return true;
}

static void enter_half_open(struct conn *c, enum half_open_stage stage)
{
	atomic_fetch_add(&c->link.worker->shared->unauthenticated, 1);
	c->unauthenticated = true;
	half_open_add(&c->link.worker->clients->half_open, &c->half_open,
	              stream_peer_key(c->link.stream), stage);
}

void conn_leave_half_open(struct conn *c)
{
	if (!c->unauthenticated)
		return;
	atomic_fetch_sub(&c->link.worker->shared->unauthenticated, 1);
	c->unauthenticated = false;
	half_open_remove(&c->link.worker->clients->half_open, &c->half_open);
}

static enum half_open_stage first_stage(const struct stream *stream)
{
	return stream_is_established(stream) ? HALF_OPEN_HANDSHAKE : HALF_OPEN_ACCEPTED;
}

static bool is_admitted(struct worker *w, struct stream *stream, const struct conf_listener *l)
{
	bool counted = stream_has_address(stream);

	if (w->stopping || (counted && !connection_limits_take_address(w, stream, l)))
		return false;
	if (make_room(w, stream, first_stage(stream)))
		return true;
	if (counted)
		connection_limits_give_address(w, stream);
	return false;
}

void conn_accept(struct worker *w, struct stream *stream)
{
	const struct conf_listener *l = worker_listener(w, stream_listener(stream));
	struct conn *c;

	if (!is_admitted(w, stream, l)) {
		stream_discard(stream);
		return;
	}
	c = xnew(c);
	c->address_counted = stream_has_address(stream);
	c->link.worker = w;
	c->link.stream = stream;
	c->link.pending_acks_tail = &c->link.pending_acks;
	c->link.version = MQTT_3_1_1;
	c->link.max_packet_bytes = UINT32_MAX;
	c->timer.fire = on_timer;
	conn_memory_begin(c);
	enter_half_open(c, first_stage(stream));
	count(&w->counters.connections_total);
	DL_APPEND(w->clients->conns, c);
	c->accepted_ms = w->executor.now_ms;
	c->deadline_ms = c->accepted_ms + l->limits.connect_timeout_ms;
	timer_arm(&w->executor.timers, &c->timer, c->deadline_ms);
	stream_attach(stream, w->loop, &conn_events, c);
}

static void on_arrival(struct task *task, void *executor_arg)
{
	struct conn *c = container_of(task, struct conn, task);
	struct worker *w = executor_arg;
	bool has_space;

	REQUIRE(c->link.worker == w);
	conn_memory_resume(c);
	has_space = make_room(w, c->link.stream, HALF_OPEN_CONNECT);
	DL_APPEND(w->clients->conns, c);
	enter_half_open(c, HALF_OPEN_CONNECT);
	timer_arm(&w->executor.timers, &c->timer, c->deadline_ms);
	stream_attach(c->link.stream, w->loop, &conn_events, c);
	if (w->stopping)
		conn_end(c, REASON_SERVER_SHUTTING_DOWN, "the broker stops");
	else if (!has_space)
		conn_end(c, REASON_SERVER_BUSY, "limits.unauthenticated is reached");
	else if (/* mutant: older_configuration_waits */ c->link.admitted_by <=
	         w->snapshot->generation)
		conn_resume(c, PAUSE_MOVE);
	/* else an older configuration must not decide: conn_arrive */
}

void conn_arrive(struct conn *c)
{
	if (c->state == CONN_NEW && c->moving_to == NULL)
		conn_resume(c, PAUSE_MOVE);
}

void conn_move(struct conn *c, struct worker *executor)
{
	REQUIRE_OWNER(&c->link);
	c->moving_to = executor;
	c->next_leaving = c->link.worker->clients->leaving;
	c->link.worker->clients->leaving = c;
	client_link_pause(&c->link, PAUSE_MOVE);
}

void conn_leave(struct conn *c)
{
	struct worker *w = c->link.worker, *executor = c->moving_to;

	c->moving_to = NULL;
	if (c->state != CONN_NEW)
		return;
	REQUIRE(!c->link.dirty && c->link.session == NULL && c->link.pending_acks == NULL);
	executor_timer_disarm(&w->executor, &c->timer);
	admission_forget(c);
	conn_leave_half_open(c);
	DL_DELETE(w->clients->conns, c);
	link_output_drop(&c->link);
	conn_memory_suspend(c);
	stream_detach(c->link.stream);
	c->link.worker = executor;
	c->task.run = on_arrival;
	executor_send(&executor->executor, &c->task);
}
