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
#include "client/conn_memory.h"
#include "client/deferred_close.h"
#include "client/deferred_publish.h"
#include "client/yield.h"
#include "net/listener.h"
#include "proto/packet_disconnect.h"
#include "routing/local_delivery.h"
#include "server/stop.h"
#include "session/subscribe_request.h"
#include "worker/shared.h"

#define FLUSH_MS       2000
#define CROWD_FRESH_MS 500
#define CROWD_HOLD_MS  10
#define OUT_FLUSH_AT   ((size_t)262144)

/* --- writing --- */

static void write_out(struct conn *c)
{
	if (c->out.len == 0)
		return;
	count_by(&c->worker->counters.bytes_sent, c->out.len);
	stream_write(c->stream, buf_slice(&c->out));
	buf_clear(&c->out);
}

void conn_write_now(struct conn *c)
{
	write_out(c);
	conn_memory_count(c);
}

struct buf *conn_out(struct conn *c)
{
	if (!c->dirty) {
		if (c->out.cap == 0)
			c->out = worker_take_buf(c->worker);
		worker_mark_dirty(c->worker, c);
	} else if (c->out.len >= OUT_FLUSH_AT) {
		conn_write_now(c);
	}
	return &c->out;
}

/* What was not even offered to the peer is no backlog: nobody would tell when it is drained. */
size_t conn_backlog(struct conn *c)
{
	if (c->out.len >= OUT_FLUSH_AT)
		conn_write_now(c);
	return c->out.len + stream_backlog(c->stream);
}

/* Does it read so slowly that it is not read either? Where memory is short that is soon. */
static bool reads_too_slowly(struct conn *c, size_t disk_queue)
{
	if (disk_queue <= STREAM_BACKLOG_LOW)
		return false;
	return disk_queue > CONN_BACKLOG_MAX ||
	       quota_memory(c->worker, c->charge.payer, CONN_OUTPUT_FREE) != NULL;
}

void conn_flush(struct conn *c)
{
	size_t disk_queue;

	write_out(c);
	worker_give_buf(c->worker, &c->out);
	disk_queue = stream_backlog(c->stream);
	if (c->output_counted != disk_queue)
		conn_memory_count(c);
	if (c->state == CONN_ACCEPTED && reads_too_slowly(c, disk_queue))
		conn_pause(c, CONN_PAUSE_BACKLOG);
	/* A delivery: what acknowledges it may have to be read. */
	if (c->state == CONN_ACCEPTED && (c->pauses & CONN_PAUSE_STORE) != 0)
		worker_review(c->worker, c);
}

static void on_drained(void *arg)
{
	struct conn *c = arg;

	conn_memory_count(c);
	if (c->state != CONN_ACCEPTED)
		return;
	conn_resume(c, CONN_PAUSE_BACKLOG);
	if (c->session != NULL && c->state == CONN_ACCEPTED) {
		session_pump(c->session);
		replay_wake(c->session);
	}
}

/* --- the end --- */

static void log_disconnected(struct conn *c, enum reason reason, const char *cause)
{
	char peer[STREAM_PEER_TEXT];

	stream_peer_text(c->stream, peer, sizeof(peer));
	if (c->session == NULL)
		return;
	LOG(CLIENT_DISCONNECTED, .client_id = session_client_id(c->session),
	    .user = session_user(c->session), .peer = peer, .reason = reason_name(reason),
	    .cause = cause);
}

static const char *listener_name(const struct conn *c)
{
	const struct conf_listener *l =
	    config_snapshot_listener(c->worker->snapshot, stream_listener(c->stream));

	return l == NULL ? "" : l->bind;
}

static void log_dropped(struct conn *c, enum reason reason, const char *cause)
{
	char peer[STREAM_PEER_TEXT];
	struct worker *w = c->worker;
	uint32_t suppressed;

	if (!log_limit_pass(&w->dropped_limit, w->executor.now_ms, 10000, 20, &suppressed))
		return;
	stream_peer_text(c->stream, peer, sizeof(peer));
	LOG(CONNECTION_CLOSED_BEFORE_CONNECT, .peer = peer, .listener = listener_name(c),
	    .reason = reason_name(reason), .cause = cause, .suppressed = suppressed);
}

/* Everything of ours that hangs on it lets go; the stream is still there. */
static void conn_release(struct conn *c)
{
	struct server *server = c->worker->server;
	struct session *session = c->session;

	c->state = CONN_CLOSING;
	executor_timer_disarm(&c->worker->executor, &c->timer);
	connect_cancel_login(c);
	auth_exchange_cancel(c);
	request_forget(c);
	pending_acks_forget(c);
	yield_forget(c);
	input_limit_forget(c);
	quota_user_give(c);
	conn_leave_half_open(c);
	if (c->counted) {
		atomic_fetch_sub(&server->connections, 1);
		atomic_fetch_sub(&server->listener_connections[stream_listener(c->stream)], 1);
	}
	c->counted = false;
	c->session = NULL;
	if (session != NULL) {
		session->conn = NULL;
		session_detach(session, !c->clean_disconnect);
	}
}

void conn_end(struct conn *c, enum reason reason, const char *cause)
{
	if (c->state == CONN_CLOSING)
		return;
	if (c->session != NULL)
		log_disconnected(c, reason, cause);
	else
		log_dropped(c, reason, cause);
	conn_close(c);
}

void conn_close(struct conn *c)
{
	conn_release(c);
	write_out(c);
	worker_give_buf(c->worker, &c->out);
	if (!deferred_close_begin(c, FLUSH_MS))
		stream_close(c->stream, FLUSH_MS);
}

/* CONNACK is the first packet it gets: while that one waits, it gets none.
 * [MQTT3-3.2.0-1] [MQTT5-3.2.0-1] [MQTT5-3.14.0-1] */
bool conn_has_connack(const struct conn *c)
{
	return c->state == CONN_ACCEPTED &&
	       (c->pending_acks == NULL || c->pending_acks->type != PACKET_CONNACK);
}

/* [MQTT5-3.1.2-24, -29] */
struct slice conn_reason_string(const struct conn *c, struct slice text, size_t rest)
{
	bool fits = text.len + rest <= c->max_packet_bytes;

	return c->no_problem_information || !fits ? SLICE_EMPTY : text;
}

/* [MQTT5-3.14.2-3] [MQTT5-3.14.4-1, -2] [MQTT5-4.13.2-1] */
void conn_fail(struct conn *c, enum reason reason, const char *cause)
{
	conn_fail_to(c, reason, cause, SLICE_EMPTY);
}

void conn_fail_to(struct conn *c, enum reason reason, const char *cause,
                  struct slice server_reference)
{
	struct slice text = conn_reason_string(c, slice_of_str(cause), REASON_STRING_REST);

	if (c->state == CONN_CLOSING)
		return;
	if (conn_has_connack(c) && c->version == MQTT_5_0) {
		disconnect_encode(conn_out(c), reason, text, server_reference);
		count(&c->worker->counters.packets_sent);
	}
	conn_end(c, reason, cause);
}

static const char *end_cause(enum stream_end end)
{
	switch (end) {
	case STREAM_END_PEER:
		return "the client closed the connection without DISCONNECT";
	case STREAM_END_RESET:
		return "the connection broke";
	case STREAM_END_TLS:
		return "TLS failed";
	case STREAM_END_LOCAL:
		break;
	}
	return "closed here";
}

static void conn_unlink(struct conn *c)
{
	struct worker *w = c->worker;

	admission_forget(c);
	DL_DELETE(w->conns, c);
	if (c->dirty)
		LL_DELETE2(w->dirty, c, next_dirty);
	if (c->in_review)
		LL_DELETE2(w->review, c, next_review);
	if (c->moving_to != NULL)
		LL_DELETE2(w->leaving, c, next_leaving);
}

static void conn_free(struct conn *c)
{
	struct worker *w = c->worker;

	conn_unlink(c);
	deferred_close_forget(c);
	if (c->address_counted)
		quota_address_give(w, c->stream);
	conn_memory_end(c);
	buf_fini_secret(&c->in); /* of a CONNECT that never was whole */
	deferred_publish_free(c);
	worker_give_buf(w, &c->out);
	alias_table_fini(&c->aliases);
	alias_table_fini(&c->aliases_out);
	identity_unref(&c->identity);
	free(c);
	if (w->stopping && w->conns == NULL)
		stop_on_empty(w);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct conn *c = arg;

	if (c->state != CONN_CLOSING) {
		if (c->session != NULL)
			log_disconnected(c, REASON_UNSPECIFIED, end_cause(end));
		else if (end != STREAM_END_TLS) /* the handshake's own line said more */
			log_dropped(c, REASON_UNSPECIFIED, end_cause(end));
		conn_release(c);
	}
	conn_free(c);
}

/* --- reading --- */

struct fault conn_validate_properties(const struct conn *c, const struct properties *properties)
{
	if (properties->user_count == 0)
		return FAULT_NONE;
	return properties->user_count <= worker_limits(c->worker, c)->user_properties
	           ? FAULT_NONE
	           : fault_of(REASON_QUOTA_EXCEEDED,
	                      "there are more User Properties than limits.user_properties");
}

struct fault conn_read_ack(const struct conn *c, const struct frame *f, struct ack *out)
{
	struct fault fault = ack_decode(f, c->version, out);

	return fault_is_none(fault) ? conn_validate_properties(c, &out->properties) : fault;
}

typedef struct fault frame_handler(struct conn *c, const struct frame *f);

static struct fault on_pingreq(struct conn *c, const struct frame *f)
{
	struct fault fault = pingreq_decode(f);

	if (!fault_is_none(fault))
		return fault;
	pending_ack_ping(c); /* [MQTT-3.12.4-1] */
	return FAULT_NONE;
}

static struct fault on_disconnect(struct conn *c, const struct frame *f)
{
	struct disconnect d;
	struct fault fault = disconnect_decode(f, c->version, &d);
	struct session *s = c->session;

	if (!fault_is_none(fault) ||
	    !fault_is_none(fault = conn_validate_properties(c, &d.properties)))
		return fault;
	if (properties_have(&d.properties, PROPERTY_SESSION_EXPIRY)) {
		if (s->expiry_s == 0 && d.properties.session_expiry_s != 0)
			return fault_of(REASON_PROTOCOL_ERROR, /* section 3.14.2.2.2 */
			                "the Session Expiry Interval was 0 in CONNECT and cannot "
			                "be raised");
		session_set_expiry(s, d.properties.session_expiry_s, worker_limits(c->worker, c));
	}
	/* Only 0x00 says that the will is not wanted. [MQTT5-3.14.4-3] [MQTT3-3.14.4-3] */
	/* mutant: will_after_disconnect */
	c->clean_disconnect = d.reason == REASON_SUCCESS;
	c->said_disconnect = true;
	conn_end(c, d.reason, "the client said DISCONNECT");
	return FAULT_NONE;
}

/* [MQTT5-3.2.0-2] */
static struct fault on_second_connect(struct conn *c, const struct frame *f)
{
	(void)c;
	(void)f;
	return fault_of(REASON_PROTOCOL_ERROR, "a second CONNECT came"); /* [MQTT-3.1.0-2] */
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

/* [MQTT3-4.8.0-1] [MQTT5-4.13.1-1] */
static void dispatch(struct conn *c, const struct frame *f)
{
	frame_handler *handler = handlers[f->type];
	struct fault fault;

	c->worker->work++;
	count(&c->worker->counters.packets_received);
	if (handler == NULL) {
		conn_fail(c, REASON_PROTOCOL_ERROR, "a client must not send this packet type");
		return;
	}
	if (f->padded && c->version == MQTT_5_0) { /* [MQTT5-1.5.5-1] */
		conn_fail(c, REASON_MALFORMED, "the Remaining Length is not in its shortest form");
		return;
	}
	fault = handler(c, f);
	if (!fault_is_none(fault))
		conn_fail(c, fault.reason, fault.cause);
}

bool conn_handle(struct conn *c, const struct frame *f, uint64_t received_ms)
{
	c->defers = false;
	c->worker->received_ms = received_ms;
	dispatch(c, f);
	if (c->defers || c->request != NULL) /* it comes again */
		uncount(&c->worker->counters.packets_received, 1);
	return !c->defers;
}

static void handle_or_park(struct conn *c, const struct frame *f, const uint8_t *packet,
                           const uint8_t *end)
{
	uint64_t now_ms = c->worker->executor.now_ms;

	c->last_packet_ms = now_ms;
	stream_note_packet(c->stream);
	if (c->limit.drain != NULL && !input_limit_admits(c, f))
		return;
	/* mutant: deferred_overtaken */
	if (deferred_is_waiting(c, f) || !conn_handle(c, f, now_ms))
		deferred_publish_add(c, f, slice_of(packet, (size_t)(end - packet)));
	if (conn_waits(c))
		input_limit_apply(c);
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
	size_t max = worker_limits(c->worker, c)->max_packet_size;
	struct worker *w = c->worker;
	struct share share = share_of(w);
	struct slice from;
	struct frame f;
	size_t needed;

	while (c->state == CONN_ACCEPTED && c->pauses == 0 && in->len > 0) {
		from = *in;
		switch (frame_next(in, max, &f, &needed)) {
		case FRAME_COMPLETE:
			handle_or_park(c, &f, from.data, in->data);
			if (c->request != NULL)
				*in = from;
			else if (/* mutant: turn_share */ w->work >= share.look &&
			         c->state == CONN_ACCEPTED && share_is_used(w, &share))
				conn_yield(c);
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

	if (c->pauses != 0)
		return;
	/* mutant: checked_when_connect_comes */
	if (!admission_holds(c)) {
		admission_close(c);
		return;
	}
	if (c->in.data[0] >> 4 != PACKET_CONNECT) {
		conn_end(c, REASON_PROTOCOL_ERROR, "the first packet was not CONNECT");
		return;
	}
	switch (frame_next(&in, worker_limits(c->worker, c)->max_connect_size, &f, &needed)) {
	case FRAME_COMPLETE:
		stream_note_packet(c->stream);
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
	if (c->state == CONN_NEW || admission_holds(c)) /* handle_first looks for itself */
		return true;
	conn_pause(c, CONN_PAUSE_STOP);
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
		input_limit_apply(c);
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
	count_by(&c->worker->counters.bytes_received, bytes.len);
	if (c->limit.drain != NULL)
		input_limit_heard(c);
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

void conn_pause(struct conn *c, enum conn_pause why)
{
	if (c->pauses == 0)
		stream_pause(c->stream);
	c->pauses |= (uint16_t)why;
}

void conn_resume(struct conn *c, enum conn_pause why)
{
	if ((c->pauses & why) == 0)
		return;
	c->pauses &= (uint16_t)~why;
	if (c->pauses != 0)
		return;
	/* While we did not read, nothing could arrive: that does not count against the client. */
	if (why != CONN_PAUSE_BACKLOG)
		c->last_packet_ms = c->worker->executor.now_ms;
	conn_continue(c);
	if (c->pauses == 0 && c->state != CONN_CLOSING)
		stream_resume(c->stream);
}

/* --- time --- */

void conn_spend(struct conn *c, uint32_t per_second)
{
	struct worker *w = c->worker;
	uint64_t wait_ms = rate_limiter_spend(&c->rate_limiter, per_second, w->executor.now_ms);

	if (wait_ms == 0)
		return;
	conn_pause(c, CONN_PAUSE_RATE);
	executor_timer_arm(&w->executor, &c->timer, wait_ms);
}

/* Nobody judged its keep alive meanwhile: that begins anew. */
static void go_on_reading(struct conn *c)
{
	struct worker *w = c->worker;

	c->last_packet_ms = w->executor.now_ms;
	if (c->keep_alive_s > 0)
		executor_timer_arm(&w->executor, &c->timer, (uint64_t)c->keep_alive_s * 1500);
	conn_resume(c, CONN_PAUSE_RATE);
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
	if (c->state == CONN_ACCEPTED && (c->pauses & CONN_PAUSE_RATE) != 0) {
		go_on_reading(c);
		return;
	}
	if (c->state != CONN_ACCEPTED || c->keep_alive_s == 0)
		return;
	if ((c->pauses & (CONN_PAUSE_PRESSURE | CONN_PAUSE_STORE | CONN_PAUSE_TURN)) != 0)
		c->last_packet_ms = w->executor.now_ms;
	/* [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
	if (w->executor.now_ms - c->last_packet_ms >= allowed_ms)
		conn_fail(c, REASON_KEEP_ALIVE_TIMEOUT,
		          "nothing arrived for one and a half keep alive intervals");
	else
		timer_arm(&w->executor.timers, timer, c->last_packet_ms + allowed_ms);
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
	if (half_open_is_even(&w->half_open, stream_peer_key(stream)))
		listener_hold(w->listeners[stream_listener(stream)], CROWD_HOLD_MS);
}

/* Each worker has its part of limits.unauthenticated. False: there is no place for one more of this
 * address that has come so far. */
static bool make_room(struct worker *w, struct stream *stream, enum half_open_stage stage)
{
	const struct conf_listener *l =
	    config_snapshot_listener(w->snapshot, stream_listener(stream));
	unsigned workers = w->server->worker_count;
	uint32_t max = l == NULL ? UINT32_MAX : l->limits.unauthenticated; /* it is closed soon */
	struct half_open_place *victim;

	if (w->half_open.count < (max < workers ? 1 : max / workers))
		return true;
	victim = half_open_victim(&w->half_open, stream_peer_key(stream), stage);
	slow_down(w, stream, victim);
	if (victim == NULL)
		return false;
	conn_end(container_of(victim, struct conn, half_open), REASON_SERVER_BUSY,
	         "limits.unauthenticated is reached, and of the address with most of them this "
	         "one came least far");
	return true;
}

static void enter_half_open(struct conn *c, enum half_open_stage stage)
{
	atomic_fetch_add(&c->worker->server->unauthenticated, 1);
	c->unauthenticated = true;
	half_open_add(&c->worker->half_open, &c->half_open, stream_peer_key(c->stream), stage);
}

void conn_leave_half_open(struct conn *c)
{
	if (!c->unauthenticated)
		return;
	atomic_fetch_sub(&c->worker->server->unauthenticated, 1);
	c->unauthenticated = false;
	half_open_remove(&c->worker->half_open, &c->half_open);
}

static enum half_open_stage first_stage(const struct stream *stream)
{
	return stream_is_established(stream) ? HALF_OPEN_HANDSHAKE : HALF_OPEN_ACCEPTED;
}

static bool is_admitted(struct worker *w, struct stream *stream, const struct conf_listener *l)
{
	bool counted = stream_has_address(stream);

	if (w->stopping || (counted && !quota_address_take(w, stream, l)))
		return false;
	if (make_room(w, stream, first_stage(stream)))
		return true;
	if (counted)
		quota_address_give(w, stream);
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
	c->worker = w;
	c->stream = stream;
	c->pending_acks_tail = &c->pending_acks;
	c->version = MQTT_3_1_1;
	c->max_packet_bytes = UINT32_MAX;
	c->timer.fire = on_timer;
	conn_memory_begin(c);
	enter_half_open(c, first_stage(stream));
	count(&w->counters.connections_total);
	DL_APPEND(w->conns, c);
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

	REQUIRE(c->worker == w);
	conn_memory_resume(c);
	has_space = make_room(w, c->stream, HALF_OPEN_CONNECT);
	DL_APPEND(w->conns, c);
	enter_half_open(c, HALF_OPEN_CONNECT);
	timer_arm(&w->executor.timers, &c->timer, c->deadline_ms);
	stream_attach(c->stream, w->loop, &conn_events, c);
	if (w->stopping)
		conn_end(c, REASON_SERVER_SHUTTING_DOWN, "the broker stops");
	else if (!has_space)
		conn_end(c, REASON_SERVER_BUSY, "limits.unauthenticated is reached");
	else if (/* mutant: older_configuration_waits */ c->admitted_by <= w->snapshot->generation)
		conn_resume(c, CONN_PAUSE_MOVE);
	/* else an older configuration must not decide: conn_arrive */
}

void conn_arrive(struct conn *c)
{
	if (c->state == CONN_NEW && c->moving_to == NULL)
		conn_resume(c, CONN_PAUSE_MOVE);
}

void conn_move(struct conn *c, struct worker *executor)
{
	REQUIRE_OWNER(c);
	c->moving_to = executor;
	c->next_leaving = c->worker->leaving;
	c->worker->leaving = c;
	conn_pause(c, CONN_PAUSE_MOVE);
}

void conn_leave(struct conn *c)
{
	struct worker *w = c->worker, *executor = c->moving_to;

	c->moving_to = NULL;
	if (c->state != CONN_NEW)
		return;
	REQUIRE(!c->dirty && c->session == NULL && c->pending_acks == NULL);
	executor_timer_disarm(&w->executor, &c->timer);
	admission_forget(c);
	conn_leave_half_open(c);
	DL_DELETE(w->conns, c);
	worker_give_buf(w, &c->out);
	conn_memory_suspend(c);
	stream_detach(c->stream);
	c->worker = executor;
	c->task.run = on_arrival;
	executor_send(&executor->executor, &c->task);
}
